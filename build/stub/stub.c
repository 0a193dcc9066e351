/*
 * What runs first in a self-contained binary, in place of the kernel's own handling of PT_INTERP.
 *
 * The file carries its dynamic linker and the C libraries it needs, each as one LZ4 block, in one read-only segment behind
 * this code. The stub
 *   1. unpacks the dynamic linker (ld.so) into memory, laid out as the kernel would have mapped it from disk;
 *   2. unpacks every library into a memfd, and gives ld.so a `.dynamic` whose first DT_NEEDED entries name those memfds
 *      by path: /proc/self/fd/./N. The original entries that follow are then satisfied by the libraries' SONAMEs;
 *   3. corrects the auxiliary vector, and jumps to ld.so, which goes on as in any dynamic program;
 *   4. is called once more, as the program's "entry", when ld.so is done: closes the memfds, jumps to the real entry.
 * So the program sees no extra file descriptor, no extra environment variable, and the arguments it was given.
 *
 * Freestanding: no C library, no relocations, nothing writable of its own (see stub.ld). README.md tells how to rebuild.
 */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef long i64;

/* ELF, by the names of the System V gABI; only what is read here. */
typedef struct {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, phoff, shoff;
  u32 flags;
  u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} Ehdr;
typedef struct {
  u32 type, flags;
  u64 offset, vaddr, paddr, filesz, memsz, align;
} Phdr;
typedef struct {
  i64 tag;
  u64 val;
} Dyn;
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PT_PHDR = 6, PT_PARKED_INTERP = 0x6fffff00 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
enum { DT_NULL = 0, DT_NEEDED = 1, DT_STRTAB = 5 };
enum { AT_PHDR = 3, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7, AT_ENTRY = 9 };

/* The same limits stand in build/selfContained.ts, which refuses to build a file beyond them. */
enum { MAX_LIBRARIES = 8, MAX_PROGRAM_HEADERS = 32, MAX_DYNAMIC = 128 };

/* Filled in by the build. Addresses are link-time ones, offsets count from the start of the segment (= this code). */
struct config {
  u8 magic[8]; /* "QUAYSTUB" */
  u64 segment_vaddr;
  u64 program_entry;
  u64 interp_vaddr;
  u64 library_count;
  struct packed {
    u64 offset, packed_size, size;
  } linker, libraries[MAX_LIBRARIES];
};
#define HIDDEN __attribute__((visibility("hidden")))
extern const u8 _start[] HIDDEN;
extern const u8 _after_linker[] HIDDEN;
extern const struct config config HIDDEN;
__asm__(".section .config,\"a\"\n"
        ".balign 16\n"
        ".hidden config\n.globl config\n"
        "config: .ascii \"QUAYSTUB\"\n"
        ".zero 248\n" /* sizeof(struct config) - 8 */
        ".text\n");
_Static_assert(sizeof(struct config) == 256, "the .zero above, and build/selfContained.ts, count on this size");

#if defined(__x86_64__)
/* _start: stack as the kernel left it. Ends with rdx = 0 (no function for atexit), as the kernel leaves it for ld.so.
 * _after_linker: ld.so's "entry of the program"; rdx holds its own fini function, which must reach the real entry. */
__asm__(".section .text.start,\"ax\"\n"
        ".hidden _start\n.globl _start\n_start:\n"
        "  xor %ebp,%ebp\n  mov %rsp,%rbx\n  mov %rsp,%rdi\n  and $-16,%rsp\n  call prepare\n"
        "  mov %rbx,%rsp\n  xor %edx,%edx\n  jmp *%rax\n"
        ".hidden _after_linker\n.globl _after_linker\n_after_linker:\n"
        "  mov %rsp,%rbx\n  mov %rdx,%r12\n  mov %rsp,%rdi\n  and $-16,%rsp\n  call finish\n"
        "  mov %rbx,%rsp\n  mov %r12,%rdx\n  xor %ebp,%ebp\n  jmp *%rax\n"
        ".text\n");
enum { SYS_write = 1, SYS_close = 3, SYS_mmap = 9, SYS_mprotect = 10, SYS_munmap = 11, SYS_madvise = 28, SYS_exit_group = 231, SYS_memfd_create = 319 };
static inline i64 syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  i64 result;
  register i64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
/* As above; here ld.so's fini function travels in x0. */
__asm__(".section .text.start,\"ax\"\n"
        ".hidden _start\n.globl _start\n_start:\n"
        "  mov x19,sp\n  mov x0,sp\n  bl prepare\n"
        "  mov sp,x19\n  mov x16,x0\n  mov x0,#0\n  mov x29,#0\n  mov x30,#0\n  br x16\n"
        ".hidden _after_linker\n.globl _after_linker\n_after_linker:\n"
        "  mov x19,sp\n  mov x20,x0\n  mov x0,sp\n  bl finish\n"
        "  mov sp,x19\n  mov x16,x0\n  mov x0,x20\n  mov x29,#0\n  mov x30,#0\n  br x16\n"
        ".text\n");
enum { SYS_write = 64, SYS_close = 57, SYS_mmap = 222, SYS_mprotect = 226, SYS_munmap = 215, SYS_madvise = 233, SYS_exit_group = 94, SYS_memfd_create = 279 };
static inline i64 syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d,
                  x4 __asm__("x4") = e, x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#endif
#define syscall3(n, a, b, c) syscall6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define FAILED(result) ((u64)(result) > -4096UL)
enum { EINTR = 4, EINVAL = 22, EXIT_CANNOT_START = 127 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_PRIVATE_ANONYMOUS = 0x22, MAP_POPULATE = 0x8000, MADV_DONTNEED = 4 };
enum { MFD_CLOEXEC = 1, MFD_NOEXEC_SEAL = 8 };

static void copy(void *to, const void *from, u64 size) {
  u64 *words = to;
  const u64 *source = from;
  u64 i;
  for (i = 0; i < size / 8; i++) words[i] = source[i];
  for (i *= 8; i < size; i++) ((u8 *)to)[i] = ((const u8 *)from)[i];
}
/* The compiler may call it for an assignment of a struct. */
__attribute__((used)) HIDDEN void *memcpy(void *to, const void *from, u64 size) {
  copy(to, from, size);
  return to;
}

/* "cannot start: X 012": X says which step, the number is the errno. README.md has the table. */
static void fail(char step, i64 error) {
  char line[24];
  int n = 0;
  const char text[] = {'c', 'a', 'n', 'n', 'o', 't', ' ', 's', 't', 'a', 'r', 't', ':', ' '};
  for (; n < (int)sizeof text; n++) line[n] = text[n];
  error = -error;
  line[n++] = step;
  line[n++] = ' ';
  line[n++] = '0' + (error / 100) % 10;
  line[n++] = '0' + (error / 10) % 10;
  line[n++] = '0' + error % 10;
  line[n++] = '\n';
  syscall3(SYS_write, 2, line, n);
  for (;;) syscall3(SYS_exit_group, EXIT_CANNOT_START, 0, 0);
}

/* Writable memory that ld.so works on. AT_PHDR points to its start, which is how finish() finds it again. */
struct handover {
  Phdr headers[MAX_PROGRAM_HEADERS];
  u64 fd_count;
  i64 fds[MAX_LIBRARIES];
  char paths[MAX_LIBRARIES][24];
  Dyn dynamic[MAX_DYNAMIC];
};

/* The stack at entry: argc, argv…, NULL, environment…, NULL, then pairs (type, value) up to AT_NULL. */
static u64 *auxiliary_vector(u64 *stack) {
  u64 *p = stack + 1 + stack[0] + 1;
  while (*p) p++;
  return p + 1;
}

static u64 round_up(u64 value, u64 page) { return (value + page - 1) & -page; }

/* All of it is about to be written: the kernel gives the pages in one go instead of in hundreds of faults. */
static i64 anonymous_memory(char step, u64 size, u64 page) {
  i64 at = syscall6(SYS_mmap, 0, round_up(size, page), PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (FAILED(at)) fail(step, at);
  return at;
}

/* Code was written through the data side: the instruction side must see it before it runs. */
static void synchronise_instructions(u64 from, u64 size) {
#ifdef __aarch64__
  u64 ctr;
  __asm__("mrs %0, ctr_el0" : "=r"(ctr));
  u64 data_line = 4UL << ((ctr >> 16) & 15), instruction_line = 4UL << (ctr & 15);
  for (u64 p = from & -data_line; p < from + size; p += data_line) __asm__ volatile("dc cvau,%0" ::"r"(p) : "memory");
  __asm__ volatile("dsb ish" ::: "memory");
  for (u64 p = from & -instruction_line; p < from + size; p += instruction_line) __asm__ volatile("ic ivau,%0" ::"r"(p) : "memory");
  __asm__ volatile("dsb ish\nisb" ::: "memory");
#else
  (void)from, (void)size; /* x86 keeps both sides coherent */
#endif
}

/* Copies may run over their end by up to this many bytes: what they write to must be that much longer. */
enum { SLACK = 16 };

/* Whole words at a time, upwards; the source may be the target's own beginning, as long as it is 8 bytes away. */
static inline void copy_over(u8 *to, const u8 *from, u64 size) {
  u8 *end = to + size;
  do {
    u64 word;
    __builtin_memcpy(&word, from, 8);
    __builtin_memcpy(to, &word, 8);
    to += 8, from += 8;
  } while (to < end);
}

/* A length that its four bits could not hold goes on in bytes, as long as they are 255. */
static inline u64 longer(u64 length, const u8 **from, const u8 *end) {
  u8 byte;
  do {
    if (*from >= end) fail('u', 0);
    length += byte = *(*from)++;
  } while (byte == 255);
  return length;
}

/* One LZ4 block (github.com/lz4/lz4, doc/lz4_Block_format.md) into `size` bytes, with SLACK behind them. Nothing outside
 * of both is touched, whatever the block holds. */
__attribute__((optimize("O2"))) static void unpack(const struct packed *file, u8 *to) {
  const u8 *from = _start + file->offset, *end = from + file->packed_size;
  u8 *start = to, *to_end = to + file->size;
  for (;;) {
    if (from >= end) fail('u', 0);
    u64 token = *from++, literals = token >> 4, match = (token & 15) + 4;
    if (literals == 15) literals = longer(literals, &from, end);
    if (literals > (u64)(end - from) || literals > (u64)(to_end - to)) fail('u', 0);
    if (literals + SLACK <= (u64)(end - from)) copy_over(to, from, literals);
    else
      for (u64 i = 0; i < literals; i++) to[i] = from[i];
    to += literals, from += literals;
    if (from == end) break; /* a block ends with literals */
    if (end - from < 2) fail('u', 0);
    u64 distance = from[0] | (u64)from[1] << 8;
    from += 2;
    if (match == 19) match = longer(match, &from, end);
    if (!distance || distance > (u64)(to - start) || match > (u64)(to_end - to)) fail('u', 0);
    if (distance >= 8) copy_over(to, to - distance, match);
    else
      for (u64 i = 0; i < match; i++) to[i] = to[i - distance];
    to += match;
  }
  if (to != to_end) fail('u', 0);
}

/* Copies ld.so to where it can run; returns its load address. It is position-independent: its vaddrs start at 0. */
static u64 map_linker(const u8 *image, u64 page) {
  const Ehdr *elf = (const Ehdr *)image;
  const Phdr *headers = (const Phdr *)(image + elf->phoff);
  u64 size = 0;
  for (int i = 0; i < elf->phnum; i++)
    if (headers[i].type == PT_LOAD && headers[i].vaddr + headers[i].memsz > size) size = headers[i].vaddr + headers[i].memsz;
  size = round_up(size, page);
  u64 base = anonymous_memory('m', size, page);
  for (int i = 0; i < elf->phnum; i++)
    if (headers[i].type == PT_LOAD) copy((void *)(base + headers[i].vaddr), image + headers[i].offset, headers[i].filesz);
  synchronise_instructions(base, size);
  for (int i = 0; i < elf->phnum; i++) {
    if (headers[i].type != PT_LOAD || headers[i].flags & PF_W) continue;
    u64 from = (base + headers[i].vaddr) & -page, to = round_up(base + headers[i].vaddr + headers[i].memsz, page);
    i64 result = syscall3(SYS_mprotect, from, to - from, (headers[i].flags & PF_R ? PROT_READ : 0) | (headers[i].flags & PF_X ? PROT_EXEC : 0));
    if (FAILED(result)) fail('x', result);
  }
  return base;
}

static i64 library_memfd(const u8 *bytes, u64 size) {
  const char *name = "lib";
  /* NOEXEC_SEAL is accepted even under vm.memfd_noexec=2, and mmap(PROT_EXEC) does not ask for the x bit; kernels
   * before 6.3 do not know the flag. */
  i64 fd = syscall3(SYS_memfd_create, name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0);
  if (fd == -EINVAL) fd = syscall3(SYS_memfd_create, name, MFD_CLOEXEC, 0);
  if (FAILED(fd)) fail('f', fd);
  for (u64 done = 0; done < size;) {
    i64 written = syscall3(SYS_write, fd, bytes + done, size - done);
    if (written == -EINTR) continue;
    if (FAILED(written)) fail('w', written);
    done += written;
  }
  return fd;
}

/* "/proc/self/fd/./N": a path with a slash, so that ld.so opens it as it stands, and no library search happens. */
static void path_of(char *to, i64 fd) {
  const char *prefix = "/proc/self/fd/./";
  while (*prefix) *to++ = *prefix++;
  char digits[12];
  int n = 0;
  do digits[n++] = '0' + fd % 10;
  while (fd /= 10);
  while (n) *to++ = digits[--n];
  *to = 0;
}

/* Called from _start; returns the address to jump to: ld.so's entry. */
__attribute__((used)) HIDDEN u64 prepare(u64 *stack) {
  const u8 *segment = _start;
  const u64 bias = (u64)segment - config.segment_vaddr; /* 0 unless the program is position-independent */
  u64 *auxv = auxiliary_vector(stack), page = 4096, header_count = 0;
  const Phdr *headers = 0;
  for (u64 *a = auxv; a[0]; a += 2) {
    if (a[0] == AT_PHDR) headers = (const Phdr *)a[1];
    if (a[0] == AT_PHNUM) header_count = a[1];
    if (a[0] == AT_PAGESZ) page = a[1];
  }
  if (!headers || header_count > MAX_PROGRAM_HEADERS) fail('p', 0);

  /* Every file is unpacked into the same memory, one after the other. */
  u64 largest = config.linker.size;
  for (u64 i = 0; i < config.library_count; i++)
    if (config.libraries[i].size > largest) largest = config.libraries[i].size;
  u8 *unpacked = (u8 *)anonymous_memory('m', largest + SLACK, page);
  unpack(&config.linker, unpacked);
  const u64 base = map_linker(unpacked, page), linker_entry = base + ((const Ehdr *)unpacked)->entry;

  struct handover *hand = (struct handover *)anonymous_memory('d', sizeof(struct handover), page);
  Dyn *dynamic = 0;
  for (u64 i = 0; i < header_count; i++) {
    Phdr *h = &hand->headers[i];
    *h = headers[i];
    if (h->type == PT_PHDR) h->vaddr = h->paddr = (u64)hand->headers - bias; /* ld.so derives the load bias from it */
    if (h->type == PT_PARKED_INTERP) {
      h->type = PT_INTERP;
      h->vaddr = config.interp_vaddr;
    }
    if (h->type == PT_DYNAMIC) {
      dynamic = (Dyn *)(h->vaddr + bias);
      h->vaddr = h->paddr = (u64)hand->dynamic - bias;
    }
  }
  if (!dynamic) fail('y', 0);
  u64 strings = 0;
  for (Dyn *d = dynamic; d->tag; d++)
    if (d->tag == DT_STRTAB) strings = d->val + bias;

  u64 n = 0;
  hand->fd_count = config.library_count;
  for (u64 i = 0; i < config.library_count; i++) {
    unpack(&config.libraries[i], unpacked);
    hand->fds[i] = library_memfd(unpacked, config.libraries[i].size);
    path_of(hand->paths[i], hand->fds[i]);
    hand->dynamic[n].tag = DT_NEEDED;
    hand->dynamic[n++].val = (u64)hand->paths[i] - strings; /* an offset into the string table; it may point past it */
  }
  for (Dyn *d = dynamic;; d++) {
    if (n >= MAX_DYNAMIC) fail('n', 0);
    hand->dynamic[n++] = *d;
    if (d->tag == DT_NULL) break;
  }

  syscall3(SYS_munmap, unpacked, round_up(largest + SLACK, page), 0);
  /* The carried files are not read again: give their pages back, so that they do not count as ours. */
  const struct packed *last = config.library_count ? &config.libraries[config.library_count - 1] : &config.linker;
  u64 from = round_up((u64)segment + config.linker.offset, page);
  u64 to = round_up((u64)segment + last->offset + last->packed_size, page);
  if (to > from) syscall3(SYS_madvise, from, to - from, MADV_DONTNEED);

  for (u64 *a = auxv; a[0]; a += 2) {
    if (a[0] == AT_PHDR) a[1] = (u64)hand->headers;
    if (a[0] == AT_BASE) a[1] = base;
    if (a[0] == AT_ENTRY) a[1] = (u64)_after_linker;
  }
  return linker_entry;
}

/* Called from _after_linker; returns the program's own entry. */
__attribute__((used)) HIDDEN u64 finish(u64 *stack) {
  struct handover *hand = 0;
  for (u64 *a = auxiliary_vector(stack); a[0]; a += 2)
    if (a[0] == AT_PHDR) hand = (struct handover *)a[1];
  for (u64 i = 0; hand && i < hand->fd_count; i++) syscall3(SYS_close, hand->fds[i], 0, 0);
  return config.program_entry + ((u64)_start - config.segment_vaddr);
}
