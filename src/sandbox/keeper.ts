import type { CommandGroup } from "./group.ts";
import type { Limits } from "./limits.ts";

/** What the keeper and bubblewrap are given, by number; one digit each, because that is what a shell can redirect. */
export const DESCRIPTORS = {
  /** Bubblewrap says here which its first process is, and how the command ended. */
  status: 3,
  seccomp: 4,
  passwd: 5,
  group: 6,
  hosts: 7,
  /** Ends with the supervisor, or when it wants everything to end. */
  lifeline: 8,
  /** The reading end of `status`. */
  statusReader: 9,
  /** The program that holds the command by Landlock. Bubblewrap alone reads what takes two digits. */
  holder: 10,
} as const;

/** The same for a command that has a way out. */
export const DESCRIPTORS_WITH_WAY = {
  lane: 5,
  executable: 6,
  /** A pipe on which the relay says that it listens. */
  ready: 7,
  passwd: 10,
  group: 11,
  hosts: 12,
  holder: 13,
} as const;

/** A shell that is bubblewrap's parent, and ends everything when the supervisor is gone.
 *
 *  Bubblewrap alone does not: `--die-with-parent` kills the process that was started, and until the namespace is set up its first process has no such
 *  bond. It waits, for ever and deaf to all but SIGKILL, for a word of the one that was killed. So bubblewrap's parent must not die just then.
 *  The same holds for SIGPIPE when nobody reads its status any more: somebody here always could.
 *
 *  Half of the shell waits for bubblewrap, the other half for the end of the lifeline. That half stops bubblewrap, sees which process it has made by
 *  then, kills that one, with which the kernel kills all of the namespace, and only then bubblewrap.
 *  @param limits what is inherited from here; null: none of it, they are set inside.
 *  @param group of which all of it is to be; null: none.
 *  @returns program and arguments; those of bubblewrap, its own name first, are to follow. */
export function keeper(limits: Limits | null, group: CommandGroup | null): readonly string[] {
  const set = limits === null ? [] : ulimits(limits);
  return ["/bin/sh", "-c", [...entering(group), ...set, KEEP].join("\n"), "sh"];
}

/** First of all: what is started from then on is in the group. */
export function entering(group: CommandGroup | null): string[] {
  if (group === null) return [];
  return [`echo 0 >'${group.entrance.replaceAll("'", `'\\''`)}' || exit ${UNLIMITED}`];
}

const { status, seccomp, passwd, group, hosts, lifeline, statusReader } = DESCRIPTORS;
const INPUTS = [status, seccomp, passwd, group, hosts].map((fd) => `${fd}<&-`).join(" ");

/** Stopped, it starts nothing any more: only then is it known which children it has. */
const KEEP = `
stopped() {
  kill -STOP "$1"
  while read -r _ _ state _ <"/proc/$1/stat"; do case "$state" in T|Z|X) break;; esac; done
}
children() { read -r found <"/proc/$1/task/$1/children" || [ -n "$found" ] && echo "$found"; }
{
  read -r _ <&${lifeline}
  read -r self _ </proc/self/stat
  stopped $$
  made=
  for one in $(children $$); do
    [ "$one" = "$self" ] && continue
    stopped "$one"
    for first in $(children "$one"); do kill -KILL "$first"; done
    kill -KILL "$one" && made=yes
  done
  [ -n "$made" ] && kill -CONT $$ || kill -KILL $$
} <&${statusReader} >/dev/null 2>&1 ${INPUTS} ${statusReader}<&- &
watcher=$!
exec ${statusReader}>&2 2>/dev/null ${lifeline}<&-
"$@" 2>&${statusReader} ${statusReader}>&-
ended=$?
kill -KILL $watcher
wait $watcher
exit $ended
`;

/** Bytes of one unit of `ulimit`. */
const KILOBYTE = 1024;
const BLOCK = 512;
/** Where not even the limits can be set nothing runs. */
const UNLIMITED = 125;

/** As root these reach the command from out here: root, and so bubblewrap, is bound by none of them that it could meet. Dash and busybox call the
 *  number of processes `-p`, where bash has something else that cannot be set; bash calls it `-u`, which the others refuse. */
function ulimits(limits: Limits): string[] {
  // All sandboxes share one count, as they share one user.
  const processes = 4 * limits.processes;
  return [
    `ulimit -d ${Math.floor((2 * limits.memory) / KILOBYTE)} &&`,
    `ulimit -f ${Math.floor(limits.file / BLOCK)} &&`,
    `ulimit -n ${limits.openFiles} &&`,
    `ulimit -t ${limits.seconds + 1} &&`,
    "ulimit -c 0 &&",
    `{ ulimit -u ${processes} || ulimit -p ${processes}; } 2>/dev/null || exit ${UNLIMITED}`,
  ];
}
