/** One event as it came over the wire; fields that were not sent are undefined. */
export interface WireEvent {
  id?: string;
  event?: string;
  data: string;
}

/** Longest line (one event's JSON) that is accepted, in characters. */
const longestLine = 8 << 20;

/**
 * The events of a text/event-stream body. Comments keep a connection alive and are yielded as undefined.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 * @throws {Error} for a line over 8 Mi characters.
 */
export async function* serverSentEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<WireEvent | undefined, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  let fields: Partial<WireEvent> = {};
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) throw new Error("an event is longer than 8 Mi characters");
    for (const line of lines) {
      if (line === "") {
        if (fields.data !== undefined) yield fields as WireEvent;
        fields = {};
      } else if (line.startsWith(":")) yield undefined;
      else read(line, fields);
    }
  }
}

function read(line: string, fields: Partial<WireEvent>): void {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
  if (name === "data") fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
  else if (name === "id") fields.id = value;
  else if (name === "event") fields.event = value;
}
