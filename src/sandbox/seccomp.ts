import {
  ALLOW,
  assemble,
  EAFNOSUPPORT,
  ENOSYS,
  EPERM,
  low,
  never,
  noBit,
  on,
  only,
  onlyNative,
  ret,
} from "../confine/bpf.ts";
import { knownMachine, numberOf, type SystemCall } from "../confine/syscalls.ts";

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
  "acct",
  "swapon",
  "swapoff",
  // Other processes' memory and descriptors.
  "ptrace",
  "process_vm_readv",
  "process_vm_writev",
  "pidfd_getfd",
  "kcmp",
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
    ...REFUSED.flatMap((name) => on(numberOf(machine, name), [ret(EPERM)])),
    ...UNKNOWN.flatMap((name) => on(numberOf(machine, name), [ret(ENOSYS)])),
    ...on(numberOf(machine, "clone"), [...noBit(low(0), CLONE_NEW), ret(ALLOW)]),
    ...on(numberOf(machine, "socket"), [
      ...only(low(0), Object.values(FAMILIES), { otherwise: EAFNOSUPPORT }),
      ret(ALLOW),
    ]),
    ...on(numberOf(machine, "ioctl"), [...never(low(1), Object.values(TERMINAL)), ret(ALLOW)]),
    ret(ALLOW),
  ]);
}
