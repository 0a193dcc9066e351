/** The tree of a parsed template. */
export type Node =
  | { kind: "text"; text: string }
  | { kind: "output"; pipe: Pipe }
  | { kind: "if" | "with"; pipe: Pipe; then: Node[]; otherwise: Node[] }
  | { kind: "range"; pipe: Pipe; then: Node[]; otherwise: Node[] }
  | { kind: "break" | "continue" };

/** `$a, $b := first | second x`: each command's value is the last argument of the next. */
export interface Pipe {
  variables: string[];
  /** `:=` makes them, `=` changes them. */
  declares: boolean;
  commands: Command[];
}

/** A function or operand and its arguments. */
export type Command = Operand[];

export type Operand =
  | { kind: "value"; value: string | number | boolean | null }
  | { kind: "dot"; fields: string[] }
  | { kind: "variable"; name: string; fields: string[] }
  | { kind: "function"; name: string }
  | { kind: "pipe"; pipe: Pipe; fields: string[] };
