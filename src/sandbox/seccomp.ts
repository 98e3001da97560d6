import {
  ALLOW,
  assemble,
  EAFNOSUPPORT,
  ENOSYS,
  EPERM,
  fromNumber,
  high,
  type Instruction,
  low,
  never,
  noBit,
  on,
  only,
  onlyNative,
  ret,
} from "../confine/bpf.ts";
import { NEWER } from "../confine/allowed.ts";
import { knownMachine, type Machine, numberOf, type SystemCall } from "../confine/syscalls.ts";

/** What a sandboxed command may not ask of the kernel, beside what its namespaces keep from it. */

/** EPERM: large parts of the kernel that no command needs. */
const REFUSED: readonly SystemCall[] = [
  // Namespaces and mounts: the way to more kernel than a command was given.
  "unshare",
  "setns",
  "mount",
  "umount2",
  "pivot_root",
  "chroot",
  "mount_setattr",
  "move_mount",
  "open_tree",
  "fsopen",
  "fsconfig",
  "fsmount",
  "fspick",
  "name_to_handle_at",
  "open_by_handle_at",
  "fanotify_init",
  "quotactl",
  "quotactl_fd",
  "acct",
  "swapon",
  "swapoff",
  // Other processes' memory and descriptors.
  "ptrace",
  "process_vm_readv",
  "process_vm_writev",
  "pidfd_getfd",
  "kcmp",
  "process_madvise",
  "process_mrelease",
  "migrate_pages",
  "move_pages",
  // Keys belong to the user, not to a namespace.
  "add_key",
  "request_key",
  "keyctl",
  "bpf",
  "perf_event_open",
  "userfaultfd",
  "syslog",
  "personality",
  "init_module",
  "finit_module",
  "delete_module",
  "kexec_load",
  "kexec_file_load",
  "reboot",
  "sethostname",
  "setdomainname",
  "settimeofday",
  "clock_settime",
  "clock_adjtime",
  "adjtimex",
  "vhangup",
  "lookup_dcookie",
  "nfsservctl",
  "modify_ldt",
  "iopl",
  "ioperm",
  "uselib",
  "_sysctl",
];

/** ENOSYS: what programs can do without, and ask for first. */
const UNKNOWN: readonly SystemCall[] = [
  /** Its flags lie in memory, where no filter sees them: the C library then uses clone. */
  "clone3",
  "io_uring_setup",
  "io_uring_enter",
  "io_uring_register",
  // Memory that belongs to no process, so that no sum over processes counts it.
  "memfd_create",
  "memfd_secret",
  "shmget",
  "msgget",
  "mq_open",
];

/** Every CLONE_NEW* flag that clone takes. */
const CLONE_NEW = 0x7e02_0000;
/** A path-named socket of the workspace would lead out of it, and vsock knows no namespaces. Loopback and what the C library asks the kernel stay. */
const FAMILIES = { AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 } as const;
/** Typing into a terminal. */
const TERMINAL = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c } as const;

/** The filter for `bwrap --seccomp`, as the kernel takes it. @returns null for a machine that has no table here. */
export function commandFilter(arch: string): Uint8Array<ArrayBuffer> | null {
  const machine = knownMachine(arch);
  if (machine === null) return null;
  return assemble([
    // A program for another machine: every call of it fails.
    ...onlyNative(machine, ENOSYS, ENOSYS),
    ...everyCommand(machine),
    ...on(numberOf(machine, "socket"), [
      ...only(low(0), Object.values(FAMILIES), { otherwise: EAFNOSUPPORT }),
      ret(ALLOW),
    ]),
    ...on(numberOf(machine, "ioctl"), [...never(low(1), Object.values(TERMINAL)), ret(ALLOW)]),
    // What came after this table nobody has looked at.
    ...fromNumber(NEWER, ENOSYS),
    ret(ALLOW),
  ]);
}

/** What no command may ask, whatever sandbox it is in. */
function everyCommand(machine: Machine): Instruction[] {
  return [
    ...REFUSED.flatMap((name) => on(numberOf(machine, name), [ret(EPERM)])),
    ...UNKNOWN.flatMap((name) => on(numberOf(machine, name), [ret(ENOSYS)])),
    ...on(numberOf(machine, "clone"), [...noBit(low(0), CLONE_NEW), ret(ALLOW)]),
  ];
}

/** EPERM, for a command that has no namespaces of its own. */
const REFUSED_WITHOUT_NAMESPACES: readonly SystemCall[] = [
  // There is no other network to be in, and a local socket has no other walls.
  ...(["socket", "connect", "bind", "listen", "accept", "accept4"] as const),
  // It is ended by its process group: nothing may leave that.
  ...(["setsid", "setpgid"] as const),
  // Landlock does not see these; the files would be anybody's of the same account.
  ...(["chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat"] as const),
  // By an open file too: one that may only be read is open as well, and may be its own.
  ...(["fchmod", "fchown", "fsetxattr", "fremovexattr"] as const),
  ...(["utime", "utimes", "futimesat", "setxattr", "lsetxattr", "setxattrat"] as const),
  ...(["removexattr", "lremovexattr", "removexattrat"] as const),
  // Memory and queues of others of the same account, by number or name.
  ...(["shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"] as const),
  ...(["msgsnd", "msgrcv", "msgctl", "mq_unlink"] as const),
  // Others' scheduling.
  ...(["ioprio_set", "sched_setattr", "sched_setparam", "sched_setscheduler"] as const),
  // What others do with files that it may not open.
  ...(["inotify_init", "inotify_init1"] as const),
];

const SOCK_STREAM = 1;
const SOCK_TYPE = 0xf;
/** Questions to a terminal, and what is in a pipe: not the attributes of a file that it may only read. */
const IOCTL = {
  TCGETS: 0x5401,
  TCGETS2: 0x802c_542a,
  TIOCGPGRP: 0x540f,
  TIOCGWINSZ: 0x5413,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
};

/** The filter for a command that Landlock holds and no namespace does. @param write may it change the workspace?
 *  @returns null for a machine that has no table here. */
export function launchedFilter(arch: string, write: boolean): Uint8Array<ArrayBuffer> | null {
  const machine = knownMachine(arch);
  if (machine === null) return null;
  const itself = [...only(low(0), [0]), ret(ALLOW)];
  return assemble([
    ...onlyNative(machine, ENOSYS, ENOSYS),
    ...everyCommand(machine),
    ...REFUSED_WITHOUT_NAMESPACES.flatMap((name) => on(numberOf(machine, name), [ret(EPERM)])),
    ...(write ? [] : on(numberOf(machine, "utimensat"), [ret(EPERM)])),
    // A pair of streams stays a pair; one of datagrams could be pointed elsewhere.
    ...on(numberOf(machine, "socketpair"), [...only(low(1), [SOCK_STREAM], { mask: SOCK_TYPE }), ret(ALLOW)]),
    // Without a path it is about an open file.
    ...on(numberOf(machine, "utimensat"), [...only(low(1), [0]), ...only(high(1), [0]), ret(ALLOW)]),
    ...on(numberOf(machine, "prlimit64"), itself),
    ...on(numberOf(machine, "sched_setaffinity"), itself),
    ...on(numberOf(machine, "setpriority"), [...only(low(0), [0]), ...only(low(1), [0]), ret(ALLOW)]),
    ...on(numberOf(machine, "ioctl"), [...only(low(1), Object.values(IOCTL)), ret(ALLOW)]),
    ...fromNumber(NEWER, ENOSYS),
    ret(ALLOW),
  ]);
}
