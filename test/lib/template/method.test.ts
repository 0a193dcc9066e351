import { expect, test } from "bun:test";
import { executeTemplate } from "../../../lib/template/execute.ts";
import { Method } from "../../../lib/template/values.ts";

test("methods take arguments, from the template and from a pipe, and their results have fields", async () => {
  const data = {
    Set: new Method(async (name) => ({ Name: name, Addrs: [`${name}:1`, `${name}:2`] })),
    Now: new Method(() => "noon"),
  };
  const cases = [
    ['{{(.Set "web").Name}}', "web"],
    ['{{range (.Set "web").Addrs}}{{.}} {{end}}', "web:1 web:2 "],
    ['{{with .Set "db"}}{{.Name}}{{end}}', "db"],
    ['{{"x" | .Set}}', "{x [x:1 x:2]}"],
    ["{{.Now}} {{len .Now}}", "noon 4"],
    ['{{range (.Set "web").Addrs}}{{($.Set "db").Name}}{{end}}', "dbdb"],
  ] as const;
  for (const [source, expected] of cases) expect(await executeTemplate(source, data)).toBe(expected);
});
