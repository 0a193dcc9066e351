import { DockerError } from "./dockerError.ts";

/**
 * The fields of an object that an engine sent; absent and null are empty. In the place of a schema where a container's start waits for
 * it: code that runs once in a while is slow, and a schema's is a lot of code (0.2 ms for an inspect, this takes 0.03).
 *
 * All throw {@link DockerError} bad_answer for a field of a wrong kind, and name it.
 *
 * @example
 * answerFields({ Config: { Env: null } }, "inspect").object("Config")?.texts("Env"); // []
 */
export interface AnswerFields {
  /** "" when it is absent. */
  text(name: string): string;
  /** 0 when it is absent. */
  number(name: string): number;
  /** False when it is absent. */
  flag(name: string): boolean;
  texts(name: string): readonly string[];
  object(name: string): AnswerFields | undefined;
  /** The elements of a list, each an object. */
  objects(name: string): AnswerFields[];
  /** The fields of an object that hold text, as they came. */
  record(name: string): Readonly<Record<string, string>>;
  /** The names of an object's fields, in a fixed order. */
  names(name: string): string[];
  /** Neither absent nor null, nor 0, "" or false. */
  has(name: string): boolean;
}

/** @throws {DockerError} bad_answer: it is no object */
export function answerFields(value: unknown, what: string, path = ""): AnswerFields {
  if (!isObject(value)) throw wrong(what, path, "an object");
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  const child = (name: string) => {
    const found = Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;
    if (found !== undefined && !isObject(found)) throw wrong(what, at(name), "an object");
    return found;
  };
  const list = (name: string) => {
    const found = value[name] ?? [];
    if (!Array.isArray(found)) throw wrong(what, at(name), "a list");
    return found as readonly unknown[];
  };
  return {
    text(name) {
      const found = value[name] ?? "";
      if (typeof found !== "string") throw wrong(what, at(name), "a text");
      return found;
    },
    number(name) {
      const found = value[name] ?? 0;
      if (typeof found !== "number") throw wrong(what, at(name), "a number");
      return found;
    },
    flag(name) {
      const found = value[name] ?? false;
      if (typeof found !== "boolean") throw wrong(what, at(name), "true or false");
      return found;
    },
    texts(name) {
      const found = list(name);
      const other = found.findIndex((each) => typeof each !== "string");
      if (other >= 0) throw wrong(what, `${at(name)}.${other}`, "a text");
      return found as readonly string[];
    },
    object(name) {
      const found = child(name);
      return found && answerFields(found, what, at(name));
    },
    objects: (name) => list(name).map((each, i) => answerFields(each, what, `${at(name)}.${i}`)),
    record(name) {
      const found = child(name) ?? {};
      for (const key of Object.keys(found)) {
        if (typeof found[key] !== "string") throw wrong(what, `${at(name)}.${key}`, "a text");
      }
      return found as Record<string, string>;
    },
    names: (name) => Object.keys(child(name) ?? {}).sort(),
    has: (name) => Boolean(value[name]),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(what: string, path: string, kind: string): DockerError {
  return new DockerError("bad_answer", `${what}: ${path === "" ? "the answer" : path.slice(0, 200)}: is not ${kind}`);
}
