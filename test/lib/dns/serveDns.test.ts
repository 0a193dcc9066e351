import { afterEach, describe, expect, test } from "bun:test";
import dnsPacket, { type Packet } from "dns-packet";
import { createResponder, type DnsServer, Forwarder, serveDns, type Zone } from "../../../lib/dns/index.ts";
import { TcpFrames, tcpFrame } from "../../../lib/dns/tcpFrames.ts";
import { connectTcp, type TcpSocket } from "../../../lib/runtime/tcp.ts";
import { bindUdp } from "../../../lib/runtime/udp.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const part of open.splice(0)) part.close();
});

const loopback = { hostname: "127.0.0.1", port: 0 };
const zone: Zone = {
  origin: "test",
  answer: async (question) => ({
    rcode: 0,
    answers: Array.from({ length: question.name.startsWith("many") ? 200 : 1 }, (_, i) => ({
      type: "A" as const,
      name: question.name,
      ttl: 60,
      address: `10.0.1.${i}`,
    })),
    authority: [],
    additionals: [],
  }),
};

async function serve(options: Partial<Parameters<typeof serveDns>[0]> = {}): Promise<DnsServer> {
  const server = await serveDns({ listen: loopback, respond: createResponder({ zones: [zone] }), ...options });
  open.push(server);
  return server;
}

async function forwardingTo(upstreams: { hostname: string; port: number }[], options = {}): Promise<DnsServer> {
  const forwarder = new Forwarder({ upstreams, tryTimeoutMs: 150, ...options });
  return serve({ respond: createResponder({ zones: [], forwarder }) });
}

function query(name: string, id = 77): Uint8Array {
  return dnsPacket.encode({ type: "query", id, flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type: "A" }] });
}

type Reply = Packet & { rcode: string; flag_tc: boolean; flag_ra: boolean };

async function askUdp(server: DnsServer, message: Uint8Array): Promise<Reply> {
  const answered = Promise.withResolvers<Reply>();
  const socket = await bindUdp(loopback, (bytes) =>
    answered.resolve(dnsPacket.decode(Buffer.from(bytes)) as unknown as Reply),
  );
  open.push(socket);
  socket.send(message, server.address.port, server.address.hostname);
  return answered.promise;
}

async function openTcp(server: DnsServer) {
  const socket: TcpSocket = await connectTcp(server.address, AbortSignal.timeout(2000));
  open.push({ close: () => socket.destroy() });
  const frames = new TcpFrames();
  const replies: Reply[] = [];
  const state = { closed: false };
  socket.handlers = {
    data: (bytes) => {
      for (const message of frames.push(bytes))
        replies.push(dnsPacket.decode(Buffer.from(message)) as unknown as Reply);
    },
    close: () => {
      state.closed = true;
    },
  };
  socket.resume();
  return { socket, replies, state };
}

describe("serveDns", () => {
  test("the same port answers on UDP and TCP", async () => {
    const server = await serve();
    expect((await askUdp(server, query("one.test"))).answers).toHaveLength(1);
    const { socket, replies } = await openTcp(server);
    socket.write(tcpFrame(query("many.test")));
    await waitFor(() => replies.length === 1, { what: "the answer" });
    expect(replies[0]?.answers).toHaveLength(200);
  });

  test("TCP: pipelined queries, cut anywhere, are all answered; after a half-close too", async () => {
    const server = await serve();
    const { socket, replies, state } = await openTcp(server);
    const stream = Buffer.concat(Array.from({ length: 300 }, (_, i) => tcpFrame(query(`n${i}.test`, i))));
    for (let at = 0; at < stream.length; at += 37) socket.write(stream.subarray(at, at + 37));
    socket.end();
    await waitFor(() => replies.length === 300 && state.closed, { what: "300 answers and the close" });
    expect(new Set(replies.map((reply) => reply.id)).size).toBe(300);
  });

  test("TCP: a connection that sends no whole message is closed; one too many is closed at once", async () => {
    const server = await serve({ tcpIdleMs: 100, maxTcpConnections: 2 });
    const slow = await openTcp(server);
    slow.socket.write(Uint8Array.of(0));
    const second = await openTcp(server);
    const third = await openTcp(server);
    await waitFor(() => third.state.closed, { what: "the third to be closed" });
    await waitFor(() => slow.state.closed && second.state.closed, { what: "the idle ones to be closed" });
    const after = await openTcp(server);
    after.socket.write(tcpFrame(query("one.test")));
    await waitFor(() => after.replies.length === 1, { what: "a later connection's answer" });
  });

  test("garbage does not stop it", async () => {
    const server = await serve();
    const socket = await bindUdp(loopback, () => {});
    open.push(socket);
    for (let i = 0; i < 50; i++)
      socket.send(crypto.getRandomValues(new Uint8Array(i)), server.address.port, "127.0.0.1");
    const tcp = await openTcp(server);
    tcp.socket.write(tcpFrame(crypto.getRandomValues(new Uint8Array(40))));
    expect((await askUdp(server, query("one.test"))).answers).toHaveLength(1);
  });
});

test("under load every question is answered with its own id, and nothing that has changed is answered as it was", async () => {
  let version = 0;
  const addresses: Zone = {
    origin: "test",
    answer({ name }) {
      const made = version;
      const answers = [{ type: "A" as const, name, ttl: 0, address: `10.0.0.${made}` }];
      return { rcode: 0, answers, authority: [], additionals: [], fresh: () => version === made };
    },
  };
  const server = await serve({ respond: createResponder({ zones: [addresses] }) });
  const replies: Uint8Array[] = [];
  const client = await bindUdp(loopback, (bytes) => replies.push(Uint8Array.from(bytes)));
  open.push(client);
  for (version = 1; version < 60; version++) {
    replies.length = 0;
    for (let id = 0; id < 100; id++) {
      // Some are not to be kept, or are refused: they go the ordinary way.
      const message = id % 25 === 24 ? query("elsewhere", id) : query(`n${id % 10}.test`, id);
      client.queue(message, server.address.port, server.address.hostname);
    }
    await waitFor(() => replies.length === 100, { what: `100 answers of version ${version}` });
    const packets = replies.map((reply) => dnsPacket.decode(Buffer.from(reply)) as unknown as Reply);
    expect(new Set(packets.map((packet) => packet.id)).size).toBe(100);
    for (const { id = 0, rcode, answers, questions } of packets) {
      if (id % 25 === 24) {
        expect(rcode).toBe("REFUSED");
        continue;
      }
      expect(questions?.[0]?.name).toBe(`n${id % 10}.test`);
      expect(answers).toMatchObject([{ data: `10.0.0.${version}` }]);
    }
  }
});

describe("Forwarder", () => {
  test("relays an answer with the client's id, question and size; a cut one is fetched by TCP", async () => {
    const upstream = await serve();
    const server = await forwardingTo([upstream.address]);
    const small = await askUdp(server, query("One.TEST", 9));
    expect(small).toMatchObject({ id: 9, flag_ra: true, flag_tc: false, rcode: "NOERROR" });
    expect(small.questions?.[0]?.name).toBe("One.TEST");
    const { socket, replies } = await openTcp(server);
    socket.write(tcpFrame(query("many.test")));
    await waitFor(() => replies.length === 1, { what: "the answer" });
    expect(replies[0]?.answers).toHaveLength(200);
    const cut = await askUdp(server, query("many.test"));
    expect(cut.flag_tc).toBe(true);
    expect(cut.answers?.length).toBeGreaterThan(10);
  });

  test("goes on to the next upstream when one is silent; SERVFAIL when all are", async () => {
    const silent = await bindUdp(loopback, () => {});
    open.push(silent);
    const dead = { hostname: "127.0.0.1", port: silent.port };
    const upstream = await serve();
    expect((await askUdp(await forwardingTo([dead, upstream.address]), query("one.test"))).answers).toHaveLength(1);
    expect((await askUdp(await forwardingTo([dead, dead]), query("one.test"))).rcode).toBe("SERVFAIL");
  });

  test("an upstream that answers SERVFAIL is passed over; its answer is given when none is better", async () => {
    const broken = await serve({
      respond: createResponder({
        zones: [{ origin: "test", answer: () => ({ rcode: 2, answers: [], authority: [], additionals: [] }) }],
      }),
    });
    const good = await serve();
    expect((await askUdp(await forwardingTo([broken.address, good.address]), query("one.test"))).rcode).toBe("NOERROR");
    expect((await askUdp(await forwardingTo([broken.address]), query("one.test"))).rcode).toBe("SERVFAIL");
  });

  test("a reply with another id, question or sender is passed over", async () => {
    const forged = (id: number, name: string) =>
      dnsPacket.encode({
        type: "response",
        id,
        questions: [{ name, type: "A" }],
        answers: [{ type: "A", name, ttl: 60, data: "6.6.6.6" }],
      });
    const stranger = await bindUdp(loopback, () => {});
    const upstream = await bindUdp(loopback, (bytes, port, from) => {
      const asked = dnsPacket.decode(Buffer.from(bytes));
      const id = asked.id ?? 0;
      stranger.send(forged(id, "one.test"), port, from);
      upstream.send(forged(id ^ 1, "one.test"), port, from);
      upstream.send(forged(id, "two.test"), port, from);
      upstream.send(
        dnsPacket.encode({
          type: "response",
          id,
          questions: asked.questions,
          answers: [{ type: "A", name: "one.test", ttl: 60, data: "10.0.0.1" }],
        }),
        port,
        from,
      );
    });
    open.push(stranger, upstream);
    const server = await forwardingTo([{ hostname: "127.0.0.1", port: upstream.port }]);
    expect((await askUdp(server, query("one.test"))).answers).toMatchObject([{ data: "10.0.0.1" }]);
  });

  test("answers are kept for their TTL, aged; negative ones by their SOA; the same question at once goes out once", async () => {
    let asked = 0;
    let clock = 1_000_000;
    const upstream = await serve({
      respond: createResponder({
        zones: [
          {
            origin: "test",
            answer: (question) => {
              asked++;
              if (question.name === "one.test") {
                return {
                  rcode: 0,
                  answers: [{ type: "A", name: "one.test", ttl: 60, address: "10.0.0.1" }],
                  authority: [],
                  additionals: [],
                };
              }
              const soa = {
                mname: "ns.test",
                rname: "root.test",
                serial: 1,
                refresh: 1,
                retry: 1,
                expire: 1,
                minimum: 20,
              };
              return {
                rcode: 3,
                answers: [],
                authority: [{ type: "SOA", name: "test", ttl: 100, ...soa }],
                additionals: [],
              };
            },
          },
        ],
      }),
    });
    const server = await forwardingTo([upstream.address], { now: () => clock });
    await Promise.all([1, 2, 3, 4].map((id) => askUdp(server, query("one.test", id))));
    expect(asked).toBe(1);
    clock += 59_000;
    expect((await askUdp(server, query("ONE.test"))).answers).toMatchObject([{ ttl: 1 }]);
    expect(asked).toBe(1);
    clock += 1_000;
    await askUdp(server, query("one.test"));
    expect(asked).toBe(2);

    expect((await askUdp(server, query("none.test"))).rcode).toBe("NXDOMAIN");
    clock += 19_000;
    await askUdp(server, query("none.test"));
    expect(asked).toBe(3);
    clock += 1_000;
    await askUdp(server, query("none.test"));
    expect(asked).toBe(4);
  });
});
