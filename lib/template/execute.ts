import { builtins, type TemplateFunction } from "./builtins.ts";
import type { Command, Node, Operand, Pipe } from "./nodes.ts";
import { parse } from "./parse.ts";
import { TemplateError } from "./templateError.ts";
import { fieldOf, isList, isStruct, Method, print, truth, type Value } from "./values.ts";

export interface ExecuteOptions {
  functions?: Readonly<Record<string, TemplateFunction>>;
  /** Steps before it is given up: nested ranges over a hostile container's lists must end. Default 100,000. */
  maxSteps?: number;
  /** Letters of output. Default 65,536. */
  maxOutput?: number;
}

/**
 * Runs a Go text/template over `data`.
 * @throws {TemplateError} it cannot be parsed, or failed, or went beyond its bounds
 *
 * @example
 * await executeTemplate("{{.Name}}-{{len .Tags}}", { Name: "web", Tags: ["a"] }); // "web-1"
 */
export async function executeTemplate(source: string, data: Value, options: ExecuteOptions = {}): Promise<string> {
  const functions = { ...builtins, ...options.functions };
  const nodes = parse(source, (name) => name === "and" || name === "or" || Object.hasOwn(functions, name));
  const run = new Execution(functions, options.maxSteps ?? 100_000, options.maxOutput ?? 65_536);
  await run.block(nodes, { dot: data, variables: new Map([["$", { value: data }]]) });
  return run.output;
}

interface Scope {
  dot: Value;
  variables: Map<string, { value: Value }>;
}

type Flow = "break" | "continue" | undefined;

class Execution {
  output = "";
  #steps = 0;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  readonly #maxSteps: number;
  readonly #maxOutput: number;

  constructor(functions: Readonly<Record<string, TemplateFunction>>, maxSteps: number, maxOutput: number) {
    this.#functions = functions;
    this.#maxSteps = maxSteps;
    this.#maxOutput = maxOutput;
  }

  /** What a block declares ends with it; what it assigns stays. */
  async block(nodes: readonly Node[], outer: Scope): Promise<Flow> {
    const scope: Scope = { dot: outer.dot, variables: new Map(outer.variables) };
    for (const node of nodes) {
      const flow = await this.#node(node, scope);
      if (flow) return flow;
    }
    return undefined;
  }

  async #node(node: Node, scope: Scope): Promise<Flow> {
    this.#step();
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return undefined;
      case "output": {
        const value = await this.#pipe(node.pipe, scope);
        if (node.pipe.variables.length === 0) this.#write(print(value));
        return undefined;
      }
      case "break":
      case "continue":
        return node.kind;
      case "range":
        return this.#range(node, scope);
      default: {
        const inner: Scope = { dot: scope.dot, variables: new Map(scope.variables) };
        const value = await this.#pipe(node.pipe, inner);
        if (!truth(value)) return this.block(node.otherwise, inner);
        return this.block(node.then, node.kind === "with" ? { ...inner, dot: value } : inner);
      }
    }
  }

  async #range(node: Node & { kind: "range" }, scope: Scope): Promise<Flow> {
    const inner: Scope = { dot: scope.dot, variables: new Map(scope.variables) };
    const value = await this.#pipe({ ...node.pipe, variables: [] }, inner);
    const entries = rangeOf(value);
    if (entries.length === 0) return this.block(node.otherwise, inner);
    const [first, second] = node.pipe.variables;
    for (const [key, each] of entries) {
      this.#step();
      const turn: Scope = { dot: each, variables: new Map(inner.variables) };
      const bind = (name: string, bound: Value) => this.#bind(name, bound, node.pipe.declares, turn);
      if (first && second) bind(first, key);
      const last = second ?? first;
      if (last) bind(last, each);
      if ((await this.block(node.then, turn)) === "break") break;
    }
    return undefined;
  }

  async #pipe(pipe: Pipe, scope: Scope): Promise<Value> {
    let value: Value;
    for (const [i, command] of pipe.commands.entries()) {
      value = await this.#command(command, scope, i > 0 ? [value] : []);
    }
    for (const name of pipe.variables) this.#bind(name, value, pipe.declares, scope);
    return value;
  }

  #bind(name: string, value: Value, declares: boolean, scope: Scope): void {
    if (declares) scope.variables.set(name, { value });
    else {
      const variable = scope.variables.get(name);
      if (!variable) throw new TemplateError(`undefined variable "${name}"`);
      variable.value = value;
    }
  }

  async #command(command: Command, scope: Scope, piped: readonly Value[]): Promise<Value> {
    this.#step();
    const [head, ...rest] = command;
    if (head?.kind !== "function") {
      if (!head) throw new TemplateError("missing value for command");
      const method = this.#method(head, scope);
      if (method) return method.call(...(await this.#args(rest, scope)), ...piped);
      if (rest.length > 0 || piped.length > 0) throw new TemplateError("can't give argument to non-function");
      return this.#operand(head, scope);
    }
    if (head.name === "and" || head.name === "or") return this.#shortCircuit(head.name, rest, scope, piped);
    return this.#call(head.name, [...(await this.#args(rest, scope)), ...piped]);
  }

  async #args(operands: readonly Operand[], scope: Scope): Promise<Value[]> {
    const args: Value[] = [];
    for (const operand of operands) args.push(await this.#operand(operand, scope));
    return args;
  }

  #method(head: Operand, scope: Scope): Method | undefined {
    if ((head.kind !== "dot" && head.kind !== "variable") || head.fields.length === 0) return undefined;
    const from = head.kind === "dot" ? scope.dot : scope.variables.get(head.name)?.value;
    const value = head.fields.slice(0, -1).reduce(fieldOf, from);
    const last = isStruct(value) ? value[head.fields.at(-1) ?? ""] : undefined;
    return last instanceof Method ? last : undefined;
  }

  async #shortCircuit(
    name: "and" | "or",
    rest: readonly Operand[],
    scope: Scope,
    piped: readonly Value[],
  ): Promise<Value> {
    let value: Value;
    for (const operand of rest) {
      value = await this.#operand(operand, scope);
      if (truth(value) === (name === "or")) return value;
    }
    if (rest.length + piped.length === 0) throw new TemplateError(`wrong number of args for ${name}`);
    return piped.length > 0 ? piped[0] : value;
  }

  async #operand(operand: Operand, scope: Scope): Promise<Value> {
    switch (operand.kind) {
      case "value":
        return operand.value;
      case "function":
        return this.#call(operand.name, []);
      case "dot": {
        const value = operand.fields.reduce(fieldOf, scope.dot);
        return value instanceof Method ? value.call() : value;
      }
      case "variable": {
        const variable = scope.variables.get(operand.name);
        if (!variable) throw new TemplateError(`undefined variable "${operand.name}"`);
        return operand.fields.reduce(fieldOf, variable.value);
      }
      case "pipe": {
        const inner: Scope = { dot: scope.dot, variables: new Map(scope.variables) };
        return operand.fields.reduce(fieldOf, await this.#pipe(operand.pipe, inner));
      }
    }
  }

  async #call(name: string, args: readonly Value[]): Promise<Value> {
    const called = this.#functions[name];
    if (!called) throw new TemplateError(`function "${name}" not defined`);
    return called(...args);
  }

  #write(text: string): void {
    this.output += text;
    if (this.output.length > this.#maxOutput) throw new TemplateError(`more than ${this.#maxOutput} letters of output`);
  }

  #step(): void {
    if (++this.#steps > this.#maxSteps) throw new TemplateError(`more than ${this.#maxSteps} steps`);
  }
}

function rangeOf(value: Value): [Value, Value][] {
  if (isList(value)) return value.map((each, i) => [i, each]);
  if (value instanceof Map) return [...value.keys()].sort().map((key) => [key, value.get(key)]);
  if (typeof value === "number" && value <= 10_000) return Array.from({ length: Math.max(0, value) }, (_, i) => [i, i]);
  if (value === null || value === undefined) return [];
  throw new TemplateError(`range can't iterate over ${print(value).slice(0, 80)}`);
}
