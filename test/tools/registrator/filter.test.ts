import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FilterError, parseFilter } from "../../../tools/registrator/services/filter.ts";
import { container, network } from "./fakes.ts";

const web = container({
  name: "web-1",
  image: "reg:5000/team/web:1",
  env: ["STAGE=prod", "EMPTY="],
  labels: {
    "com.example.role": "web",
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "front",
    quoted: 'a "b"',
  },
  networks: [network("back", "10.1.0.2"), network("front", "10.2.0.2")],
});

describe("parseFilter", () => {
  test.each<[string, boolean]>([
    ['name == "web-1"', true],
    ["name == 'web-1'", true],
    ['name != "web-1"', false],
    ['name =~ "^web-\\d$"', true],
    ['name !~ "^tmp-"', true],
    ['image =~ "/web:"', true],
    ['project == "shop" && service == "front"', true],
    ['project == "shop" && service == "x" || network == "front"', true],
    ['project == "shop" && (service == "x" || network == "none")', false],
    ['network in ("none", "back")', true],
    ['network in ("none")', false],
    ['label:com.example.role == "web" && !(name =~ "^tmp-")', true],
    ["label:com.example.role", true],
    ["label:missing", false],
    ['label:missing != "x"', true],
    ['label:missing !~ "x"', true],
    ['label:quoted == "a \\"b\\""', true],
    ["label:__proto__", false],
    ['env:STAGE == "prod"', true],
    ["env:EMPTY", false],
    ["!!env:STAGE", true],
    ['hostname=="abc"', true],
  ])("%s", (text, matches) => expect(parseFilter(text).matches(web)).toBe(matches));

  test.each<[string, string]>([
    ["", 'column 1: a field, "!" or "(" is wanted, not the end'],
    ['nam == "x"', 'column 1: there is no field "nam"; there are id, name,'],
    ["name == web", 'column 9: a text in quotes is wanted, not "web"'],
    ['name = "x"', 'column 6: "=" does not belong here'],
    ['name == "x', "column 9: this text has no end"],
    ['(name == "x"', 'column 13: ")" is wanted, not the end'],
    ['name == "x" name', 'column 13: "&&", "||" or the end is wanted, not "name"'],
    ['name =~ "("', "column 9: Invalid regular expression"],
    ["label: == 'x'", "column 7: label: lacks its key"],
    ["name in ()", 'column 10: a text in quotes is wanted, not ")"'],
    ["(".repeat(100), "column 65: it is nested too deeply"],
  ])("%p is refused: %s", (text, message) => {
    expect(() => parseFilter(text)).toThrow(FilterError);
    expect(() => parseFilter(text)).toThrow(message);
  });

  test("anything else is a FilterError", () => {
    const word = fc.constantFrom(
      "name",
      "label:a",
      "==",
      "=~",
      "&&",
      "||",
      "!",
      "(",
      ")",
      "in",
      ",",
      '"x"',
      "'['",
      '"',
      "\0",
    );
    const text = fc.oneof(
      fc.array(word).map((words) => words.join(" ")),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          expect(typeof parseFilter(given).matches(web)).toBe("boolean");
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
        }
      }),
    );
  });
});
