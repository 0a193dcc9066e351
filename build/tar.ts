import { BuildError } from "./BuildError.ts";

/** A file or folder of an archive. Times are 0 and names of owners empty, so that the same content gives the same bytes. */
export interface TarEntry {
  /** Relative path, at most 100 bytes; a folder's ends with "/". */
  name: string;
  /** Parts of a file's content, written one after the other; none for a folder. */
  content?: Uint8Array[];
  /** Permission bits. Default: 0o644, and 0o755 for a folder. */
  mode?: number;
  /** Owner and group. Default: 0. */
  owner?: number;
}

const BLOCK = 512;
/** The largest size that the 11 octal digits of a ustar header hold. */
const MAX_SIZE = 8 ** 11 - 1;

/**
 * A POSIX ustar archive (IEEE 1003.1, pax) as parts to write or hash one after the other; contents are not copied.
 *
 * @throws BuildError `bad-name` for a name that is empty, absolute, too long, or leaves the archive; `too-large` beyond 8 GiB
 * @example writeFileSync("a.tar", Buffer.concat(tar([{ name: "hello", content: [Buffer.from("hi\n")] }])))
 */
export function tar(entries: TarEntry[]): Uint8Array[] {
  return [
    ...entries.flatMap((entry) => {
      const content = entry.content ?? [];
      const size = content.reduce((sum, part) => sum + part.length, 0);
      return [tarHeader(entry, size), ...content, Buffer.alloc(-size & (BLOCK - 1))];
    }),
    Buffer.alloc(2 * BLOCK),
  ];
}

function tarHeader(entry: TarEntry, size: number): Buffer {
  const { name } = entry;
  if (!name || Buffer.byteLength(name) > 100 || name.startsWith("/") || name.split("/").includes(".."))
    throw new BuildError("bad-name", `not a name for an archive: ${JSON.stringify(name)}`);
  if (size > MAX_SIZE) throw new BuildError("too-large", `${name}: ${size} bytes are too many for a ustar archive`);
  const folder = name.endsWith("/");
  const owner = octal(entry.owner ?? 0, 7);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write(octal(entry.mode ?? (folder ? 0o755 : 0o644), 7), 100);
  header.write(owner, 108);
  header.write(owner, 116);
  header.write(octal(size, 11), 124);
  header.write(octal(0, 11), 136); // time
  header.write(" ".repeat(8), 148); // the checksum counts itself as spaces
  header.write(folder ? "5" : "0", 156);
  header.write("ustar\0", 257);
  header.write("00", 263);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    ),
    148,
  );
  header.write("\0 ", 154);
  return header;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
