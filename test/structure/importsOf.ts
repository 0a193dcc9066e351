import type { Token } from "./tokens.ts";

/** One import of a file, in whatever form. */
export interface Import {
  /** As it is written: `./a.ts`, `node:fs`, `zod`; `undefined` where it is computed. */
  specifier: string | undefined;
  /** `import("...")`; in a type position it counts as one too. */
  dynamic: boolean;
}

/** All imports in a file's tokens: `import "x"`, `import ... from "x"`, `import type`, `export ... from "x"`, `import("x")`, `require("x")`. */
export function importsOf(code: Token[]): Import[] {
  const found: Import[] = [];
  for (const [i, token] of code.entries()) {
    if (token.kind !== "word" || isOther(code[i - 1], ".")) continue;
    const next = code[i + 1];
    const after = code[i + 2];
    if ((token.text === "import" || token.text === "require") && isOther(next, "(")) {
      const literal = after?.kind === "string" && (isOther(code[i + 3], ")") || isOther(code[i + 3], ","));
      if (literal || token.text === "import")
        found.push({ specifier: literal ? after.text : undefined, dynamic: true });
    } else if (token.text === "import" && next?.kind === "string") {
      found.push({ specifier: next.text, dynamic: false });
    } else if (token.text === "from" && next?.kind === "string" && endsClause(code[i - 1])) {
      found.push({ specifier: next.text, dynamic: false });
    }
  }
  return found;
}

/** Before `from` of an import stands `}`, `*` or a name. */
function endsClause(token: Token | undefined): boolean {
  return token?.kind === "word" || isOther(token, "}") || isOther(token, "*");
}

function isOther(token: Token | undefined, text: string): boolean {
  return token?.kind === "other" && token.text === text;
}
