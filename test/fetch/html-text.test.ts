import { describe, expect, test } from "vitest";
import { htmlToText } from "../../src/fetch/html-text.ts";

const URL = "https://pages.example/a/b";

describe("the text of a page", () => {
  test.for([
    ["<p>One</p><p>Two</p>", "One\n\nTwo"],
    ["<h1>Head</h1>Text <b>bold</b>, more", "# Head\n\nText bold, more"],
    ["<h3>Third</h3><div>a</div><div>b</div>", "### Third\n\na\nb"],
    ["<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n\n  - b\n\n- c"],
    ["<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"],
    ["<table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table>", "k | v\n1 | 2"],
    ["see <a href='/x?y=1#z'>the page</a>.", "see [the page](https://pages.example/x?y=1#z)."],
    [
      "<a href='c'>near</a> <a href='javascript:x()'>not</a> <a href='#top'>up</a>",
      "[near](https://pages.example/a/c) not up",
    ],
    ["<a href='/x'><img src='y'></a>after", "after"],
    ["<img alt='a chart' src='y'>", "[image: a chart]"],
    ["a<br>b<br><br>c", "a\nb\n\nc"],
    ["<pre>a\n  b\n</pre>c", "a\n  b\n\n\nc"],
    ["&lt;b&gt; &amp; &#8364; &nbsp;x", "<b> & € x"],
    ["<title>Name</title><p>text", "title: Name\n\ntext"],
    ["<head><title>Same</title></head><body><h1>Same</h1>x", "# Same\n\nx"],
    ["a<script>let x = '<p>no</p>'</script>b<style>c{}</style>", "ab"],
    ["<p>unclosed <b>tags <i>here", "unclosed tags here"],
    ["", ""],
  ] as const)("%s", ([html, text]) => {
    expect(htmlToText(html, URL)).toBe(text);
  });

  test.for([
    "<p hidden>secret</p>",
    "<div style='color:red; display: none'><p>secret</p></div>",
    "<span aria-hidden='true'>secret</span>",
    "<template>secret</template>",
    "<svg><text>secret</text></svg>",
    "<img hidden alt='secret'>",
    "<!-- secret -->",
  ])("holds nothing that the page itself hides: %s", (html) => {
    expect(htmlToText(`<p>a</p>${html}<p>b</p>`, URL)).toBe("a\n\nb");
  });

  const half = 500_000;
  test.for([
    ["tags that are never closed", "<i>".repeat(half / 3) + "</b>".repeat(half / 4)],
    ["tags that were never opened", "</p>".repeat(half / 2)],
    ["attributes without end", `<p ${"a ".repeat(half)}>`],
    ["a comment without end", "<!--".repeat(half / 2)],
    ["entities", "&amp".repeat(half / 2)],
    ["half tags", "<".repeat(2 * half)],
    ["blanks", `<p>${" \n".repeat(half)}x`],
    ["links in links", "<a href=x>y".repeat(half / 10)],
    ["lists in lists", "<ul><li>x".repeat(half / 9)],
    ["a megabyte of quotes", `<a href="${"x".repeat(2 * half)}`],
  ] as const)("is made in time linear in it: %s", ([, html]) => {
    const began = performance.now();
    htmlToText(html, URL);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
