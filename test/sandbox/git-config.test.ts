import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { cleanGitConfig } from "../../src/sandbox/git-config.ts";

/** As `git clone` writes it. */
const CLONE = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	logallrefupdates = true
[remote "origin"]
	url = https://git.example.org/people/thing.git
	fetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
	remote = origin
	merge = refs/heads/main
`;

describe("of a new repository's settings", () => {
  test("a clone's stay as they are", () => {
    expect(cleanGitConfig(CLONE)).toEqual({ text: CLONE, left: [] });
  });

  test.for([
    [
      "a branch with a sign that would begin a remark",
      '[branch "feature/#12"]\n\tremote = origin\n\tmerge = "refs/heads/feature/#12"\n',
    ],
    [
      "one branch without others' tags",
      '[remote "origin"]\n\ttagopt = --no-tags\n\tfetch = +refs/heads/main:refs/remotes/origin/main\n',
    ],
    ["another kind of hash", "[extensions]\n\tobjectformat = sha256\n"],
    ["a clone of a directory of the workspace", '[remote "origin"]\n\turl = /workspace/shared/thing\n'],
  ] as const)("%s stays", ([, text]) => {
    expect(cleanGitConfig(text)).toEqual({ text, left: [] });
  });

  test.for([
    ["core.fsmonitor", "[core]\n\tfsmonitor = touch x"],
    ["core.sshCommand", "[core]\n\tsshCommand = touch x"],
    ["core.hooksPath", "[core]\n\thooksPath = ../hooks"],
    ["core.pager", "[core]\n\tpager = touch x"],
    ["core.editor", "[core]\n\teditor = touch x"],
    ["core.askPass", "[core]\n\taskPass = touch x"],
    ["core.gitProxy", "[core]\n\tgitProxy = touch x"],
    ["core.worktree", "[core]\n\tworktree = /home"],
    ["core.attributesFile", "[core]\n\tattributesFile = ../a"],
    ["core.alternateRefsCommand", "[core]\n\talternateRefsCommand = touch x"],
    ["a filter", '[filter "x"]\n\tclean = touch x\n\tsmudge = touch x\n\tprocess = touch x'],
    ["an included file", "[include]\n\tpath = ../evil"],
    ["a conditionally included file", '[includeIf "gitdir:/"]\n\tpath = ../evil'],
    ["an alias that is a command", "[alias]\n\tst = !touch x"],
    ["a credential helper", "[credential]\n\thelper = !touch x"],
    ["a credential helper of one host", '[credential "https://git.example.org"]\n\thelper = !touch x'],
    ["another address in the place of one", '[url "ext::sh -c touch% x"]\n\tinsteadOf = https://'],
    ["a program that signs", "[gpg]\n\tprogram = touch x"],
    ["a program that signs, by format", '[gpg "ssh"]\n\tprogram = touch x'],
    ["an outer diff", "[diff]\n\texternal = touch x"],
    ["a diff of a kind of file", '[diff "x"]\n\ttextconv = touch x\n\tcommand = touch x'],
    ["a merge driver", '[merge "x"]\n\tdriver = touch x'],
    ["a merge tool", '[mergetool "x"]\n\tcmd = touch x'],
    ["a sequence editor", "[sequence]\n\teditor = touch x"],
    ["a pager of one command", "[pager]\n\tlog = touch x"],
    ["an interactive filter", "[interactive]\n\tdiffFilter = touch x"],
    ["what a submodule is updated by", '[submodule "x"]\n\tupdate = !touch x'],
    [
      "a remote's own program",
      '[remote "origin"]\n\tuploadpack = touch x\n\treceivepack = touch x\n\tvcs = x\n\tproxy = http://evil',
    ],
    ["a remote by a transport that runs something", '[remote "origin"]\n\turl = ext::sh -c touch% x'],
    ["a remote whose host is an option", '[remote "origin"]\n\turl = ssh://-oProxyCommand=touch/x'],
    ["a remote with a password", '[remote "origin"]\n\turl = https://me:secret@git.example.org/x'],
    ["a remote elsewhere on this machine", '[remote "origin"]\n\turl = /home/me/x'],
    ["a remote that climbs out of the workspace", '[remote "origin"]\n\turl = /workspace/../home/me'],
    ["a fetch into branches of one's own", '[remote "origin"]\n\tfetch = +refs/heads/*:refs/heads/*'],
    ["a merge by a strategy of one's own", '[branch "main"]\n\tmergeOptions = --strategy=x'],
    ["settings of worktrees", "[extensions]\n\tworktreeConfig = true"],
    ["a partial clone", "[extensions]\n\tpartialClone = origin"],
    ["another format", "[core]\n\trepositoryformatversion = 2"],
    ["a setting behind its section's name", "[core] fsmonitor = touch x"],
    ["a section as it was written once", "[core.fsmonitor]\n\tx = y"],
    ["a line that goes on", "[core]\n\tfilemode = true\\\nfsmonitor = touch x"],
    ["a setting before any section", "fsmonitor = touch x"],
    ["a key in other letters", "[CORE]\n\tFSMONITOR = touch x"],
    ["a remote's name that is a path", '[remote "../x"]\n\turl = https://git.example.org/x'],
    ["a sign that ends a line for some", "[core]\n\tfilemode = true\u0000fsmonitor = touch x"],
    ["a key of every object", "[core]\n\tconstructor = true\n\t__proto__ = true\n[constructor]\n\tname = x"],
  ] as const)("%s is left out", ([, text]) => {
    const { text: kept, left } = cleanGitConfig(`${text}\n`);
    expect(left.length).toBeGreaterThan(0);
    expect(kept).not.toMatch(/touch|fsmonitor|evil|secret|home|refs\/heads\/\*:refs\/heads|constructor|ext:|ssh:/i);
  });

  test("whatever is written, what stays is what would stay again, and of the keys that may", () => {
    const words = fc.constantFrom(
      "[core]",
      '[remote "o"]',
      '[branch "b"]',
      "[include]",
      "\tpath = x",
      "\tbare = true",
      "\turl = https://a.b/c",
      "\\",
      '"',
      "#",
      ";",
      "=",
      "\r",
      "\u0000",
      "]",
      "[",
      "\tfsmonitor = x",
      "\n",
      " ",
      "\tmerge = refs/heads/b",
      "refs/heads/a:refs/remotes/o/a",
      "\tfetch = ",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
        const { text } = cleanGitConfig(parts.join(""));
        expect(cleanGitConfig(text)).toEqual({ text, left: [] });
        for (const line of text.split("\n"))
          expect(line).toMatch(/^(?:|\[core\]|\[remote "o"\]|\[branch "b"\]|\t(?:bare|url|merge|fetch) = [^\\]*)$/);
      }),
    );
  });

  test("a file of many lines is read to a limit, and says so", () => {
    const { left } = cleanGitConfig("[core]\n".repeat(5_000));
    expect(left).toEqual(["too many lines"]);
  });
});
