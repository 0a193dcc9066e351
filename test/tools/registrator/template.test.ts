import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { executeTemplate } from "../../../lib/template/execute.ts";
import { tagFunctions } from "../../../lib/template/tagFunctions.ts";
import { TemplateError } from "../../../lib/template/templateError.ts";
import { checkTags, renderTags } from "../../../tools/registrator/template/renderTags.ts";
import { container } from "./fakes.ts";

const from = container({
  id: "0123456789abcdef",
  name: "web-1",
  env: ["A=1", "B=2"],
  labels: { role: "front", "com.x": "a/b/c" },
  ports: [
    { port: "80/tcp", hostIp: "0.0.0.0", hostPort: "8000" },
    { port: "443/tcp", hostIp: "", hostPort: "" },
  ],
});

describe("renderTags", () => {
  // What Go's text/template prints for the same container.
  test.each([
    ["plain,text", "plain,text"],
    ["{{.Name}}", "/web-1"],
    ["{{.Config.Hostname}}-{{.Config.Labels.role}}", "abc-front"],
    ["{{.Config.Labels}}", "map[com.x:a/b/c role:front]"],
    ["{{.Config.Env}}", "[A=1 B=2]"],
    ["{{.Config.Labels.none}}", "<no value>"],
    ['{{index .Config.Labels "none"}}', ""],
    ["{{with .Config.Labels.role}}{{.}}{{end}}", "front"],
    ["{{with .Config.Labels.none}}x{{else}}{{$.Name}}{{end}}", "/web-1"],
    ['{{if eq .Name "/x"}}a{{else if .State.Running}}b{{else}}c{{end}}', "b"],
    ["{{range .Config.Env}}{{.}};{{end}}", "A=1;B=2;"],
    ["{{range $i, $e := .Config.Env}}{{$i}}={{$e}} {{end}}", "0=A=1 1=B=2 "],
    ["{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}},{{end}}", "com.x:a/b/c,role:front,"],
    ['{{range .Config.Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}', "A=1"],
    ["{{range .NetworkSettings.Aliases}}x{{else}}none{{end}}", undefined],
    ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"],
    ["{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"],
    ["a {{- /* gone */ -}} b", "ab"],
    ["a {{- 1 -}} b", "a1b"],
    ['{{printf "%s-%03d-%q" .Name 7 "x"}}', '/web-1-007-"x"'],
    ['{{"a,b" | split "," | join "+"}}', "a+b"],
    ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8000"],
    ["{{len .Config.Env}}{{len `abc`}}", "23"],
    ['{{and 1 0}}{{or 0 "x"}}{{not true}}', "0xfalse"],
    ["{{strSlice .ID 0 4}}", "0123"],
    ["{{strSlice .ID 12}}", "cdef"],
    ['{{splitIndex -1 "/" (mIndex "com.x" .Config.Labels)}}', "c"],
    ["{{sIndex 9 .Config.Env}}{{sIndex -9 .Config.Env}}", "B=2A=1"],
    ['{{replace 1 "a" "b" "aaa"}}{{replace -1 "a" "b" "aaa"}}', "baabbb"],
    ['{{matchFirstElement "^B" .Config.Env}}{{matchFirstElement "^Z" .Config.Env}}', "B=2"],
    ['{{jsonParse `{"a":{"b":"c"}}` "a::b"}}', "c"],
    ["{{html `<a&'`}}{{js `a'<`}}{{urlquery `a b/`}}", "&lt;a&amp;&#39;a\\'\\u003Ca+b%2F"],
    ["{{print 1 2 `a` 3 4}}", "1 2a3 4"],
    ["{{'a'}}{{0x10}}{{-3}}{{1_000}}", "9716-31000"],
  ])("%s", async (template, expected) => {
    if (expected === undefined)
      await expect(renderTags(template, from)).rejects.toThrow("can't evaluate field Aliases");
    else expect(await renderTags(template, from)).toBe(expected);
  });

  test.each([
    ["{{", "an action is not closed"],
    ["{{nil}}", "nil is not a command"],
    ["{{.Nope}}", "can't evaluate field Nope"],
    ["{{nope}}", 'function "nope" not defined'],
    ["{{if true}}", "{{if}} without {{end}}"],
    ["{{end}}", "unexpected {{end}}"],
    ["{{break}}", "outside {{range}}"],
    ["{{$x}}", 'undefined variable "$x"'],
    ["{{1 2}}", "can't give argument to non-function"],
    ["{{index .Config.Env 5}}", "out of range"],
    ["{{strSlice .ID 5 2}}", "out of range"],
    ['{{template "x"}}', "not supported"],
    ['{{matchFirstElement "(" .Config.Env}}', "bad regular expression"],
    ["{{constructor}}", 'function "constructor" not defined'],
    ["{{.constructor}}", "can't evaluate field constructor"],
  ])("%s is refused", async (template, message) => {
    const error = await renderTags(template, from).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TemplateError);
    expect((error as Error).message).toContain(message);
  });

  test("checkTags refuses before any container is there", async () => {
    await expect(checkTags("{{nope}}")).rejects.toThrow("not defined");
    expect(await checkTags("{{.Anything}}")).toBeUndefined();
  });

  test("bounds: steps and output end", async () => {
    const range = "{{range 1000}}".repeat(3) + "{{end}}".repeat(3);
    await expect(executeTemplate(range, null)).rejects.toThrow("steps");
    await expect(executeTemplate(`{{range 9000}}${"x".repeat(100)}{{end}}`, null)).rejects.toThrow("output");
    await expect(executeTemplate("{{(".repeat(1) + "(".repeat(500), null)).rejects.toThrow(TemplateError);
  });

  test("whatever the template: text or a TemplateError", async () => {
    const word = fc.constantFrom(
      "{{",
      "}}",
      "{{-",
      "-}}",
      ".",
      ".Name",
      "$",
      "$x",
      ":=",
      "=",
      "|",
      "(",
      ")",
      "if",
      "else",
      "end",
      "range",
      "with",
      "index",
      "len",
      "split",
      '"a"',
      "`",
      "'",
      "1",
      "-1",
      "nil",
      " ",
      "\n",
      "/*",
      "*/",
      ".Config.Env",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.array(word, { maxLength: 20 }).map((words) => words.join("")),
          fc.array(word, { maxLength: 9 }).map((words) => `{{${words.join(" ")}}}`),
          fc.string(),
        ),
        async (template) => {
          try {
            await executeTemplate(template, { Name: "x", Config: { Env: ["a"] } }, { functions: tagFunctions });
          } catch (error) {
            if (!(error instanceof TemplateError)) throw error;
          }
        },
      ),
      { numRuns: 4000 },
    );
  });
});
