import type { Needs } from "./role.ts";
import type { SystemCall } from "./syscalls.ts";

/** What is let through, by what it is for. Everything else is refused. The lists come from what each role was seen to do under its own tests, with
 *  load, TLS, collection, threads and every way out, on two C libraries' worth of names; what has arguments that matter is in filter.ts. */

/** What Node, V8 and libuv do in every process, and nothing that names a file, another process or a network. */
const EVERY_ROLE: readonly SystemCall[] = [
  // Memory. It can be made executable: V8 compiles. Protection keys are V8's too.
  ...(["brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "membarrier"] as const),
  ...(["pkey_alloc", "pkey_free", "pkey_mprotect"] as const),
  // Threads. (`clone` makes nothing else: see filter.ts.)
  ...(["futex", "set_robust_list", "rseq", "set_tid_address", "gettid", "getcpu", "exit", "exit_group"] as const),
  // About scheduling only questions: the C library asks them for each thread that it starts.
  ...(["sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_getattr"] as const),
  ...(["sched_get_priority_max", "sched_get_priority_min"] as const),
  // Its own signals.
  ...(["rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "sigaltstack"] as const),
  "restart_syscall",
  // Time.
  ...(["clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times"] as const),
  // Waiting for what is open.
  ...(["epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "select", "pselect6"] as const),
  ...(["eventfd2", "pipe2"] as const),
  // Descriptors that are open: the pipe, the lane, its output. None is opened by these.
  ...(["read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "dup", "dup2", "dup3"] as const),
  // `fstat` of the C library is `newfstatat` with an empty path. No filter sees a path: so whether a file exists can be asked, and how long it is.
  ...(["fstat", "newfstatat", "statx"] as const),
  // The pipe and the lane are sockets.
  ...(["sendmsg", "sendto", "recvmsg", "recvfrom", "shutdown", "getsockopt", "setsockopt"] as const),
  ...(["getsockname", "getpeername"] as const),
  // Who and where it is.
  ...(["getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getcwd"] as const),
  ...(["getrusage", "getrlimit", "getrandom"] as const),
];

/** For those who may open some files by name: which ones, Landlock says. */
const FILES: readonly SystemCall[] = [
  ...(["open", "openat", "access", "faccessat", "stat", "lstat", "readlink", "readlinkat"] as const),
  ...(["getdents64", "statfs", "fstatfs"] as const),
];

const INTERNET: readonly SystemCall[] = [
  "connect",
  // The C library asks for IPv4 and IPv6 in one call.
  ...(["sendmmsg", "recvmmsg"] as const),
];

const LISTENING: readonly SystemCall[] = ["bind", "listen", "accept", "accept4"];

/** libsecret: D-Bus, and a key that is not to be swapped out. */
const KEYCHAIN: readonly SystemCall[] = ["connect", "socketpair", "mlock", "munlock"];

/** For each of these there is an older call that the C library, libuv or GLib then makes. */
export const UNKNOWN: readonly SystemCall[] = [
  // Its flags lie in memory, where no filter sees them.
  "clone3",
  ...(["epoll_pwait2", "close_range", "faccessat2", "openat2", "fchmodat2", "preadv2", "pwritev2"] as const),
  ...(["futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "cachestat", "mseal", "map_shadow_stack"] as const),
];

/** Calls from this number on came after this table: they are answered as by a kernel that has none of them. */
export const NEWER = 467;

/** @returns what a role may call whatever the arguments. */
export function allowed({ sockets, files }: Pick<Needs, "sockets" | "files">): readonly SystemCall[] {
  return [
    ...EVERY_ROLE,
    ...(files === "none" ? [] : FILES),
    ...(sockets === "internet" || sockets === "internet and paths" ? INTERNET : []),
    ...(sockets === "listening" ? LISTENING : []),
    ...(sockets === "local" ? KEYCHAIN : []),
  ];
}

/** Why some calls are on no list: for whoever wants to add one, and for the test that none of them is. */
export const DENIED: Readonly<Record<string, readonly SystemCall[]>> = {
  "other processes: their memory, their descriptors, their scheduling": [
    ...(["ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease"] as const),
    ...(["pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "migrate_pages", "move_pages"] as const),
    ...(["tkill", "setpriority", "ioprio_set", "sched_setaffinity", "sched_setattr"] as const),
    ...(["sched_setparam", "sched_setscheduler"] as const),
  ],
  "memory and queues that two compartments could share by a number or a name": [
    ...(["shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"] as const),
    ...(["msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"] as const),
  ],
  "memory that no limit of this process counts": ["memfd_create", "memfd_secret"],
  "another program, another process, another session": [
    ...(["execve", "execveat", "fork", "vfork", "setsid", "setpgid"] as const),
  ],
  "another user: a change of it also ends the promise to die with the supervisor": [
    ...(["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid"] as const),
    ...(["setfsuid", "setfsgid", "setgroups", "capset", "setrlimit"] as const),
  ],
  "what a ring does, no filter sees: it opens sockets and files by itself": [
    ...(["io_uring_setup", "io_uring_register"] as const),
  ],
  "files: made, changed, removed, watched": [
    ...(["creat", "mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink", "unlinkat"] as const),
    ...(["rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "truncate"] as const),
    ...(["chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown"] as const),
    ...(["utimensat", "utime", "utimes", "futimesat", "inotify_init", "inotify_init1"] as const),
    ...(["setxattr", "lsetxattr", "fsetxattr", "setxattrat"] as const),
    ...(["removexattr", "lremovexattr", "fremovexattr", "removexattrat"] as const),
  ],
  "large parts of the kernel that no child needs, many of them for root only": [
    ...(["bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "syslog"] as const),
    ...(["mount", "umount2", "pivot_root", "chroot", "move_mount", "mount_setattr", "open_tree"] as const),
    ...(["open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "unshare", "setns"] as const),
    ...(["name_to_handle_at", "open_by_handle_at", "fanotify_init", "quotactl", "quotactl_fd", "acct"] as const),
    ...(["swapon", "swapoff", "reboot", "kexec_load", "kexec_file_load", "init_module"] as const),
    ...(["finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms"] as const),
    ...(["nfsservctl", "lookup_dcookie", "sethostname", "setdomainname", "settimeofday"] as const),
    ...(["clock_settime", "clock_adjtime", "adjtimex", "personality", "modify_ldt", "iopl", "ioperm"] as const),
    ...(["uselib", "_sysctl", "vhangup"] as const),
  ],
  "the walls themselves, which stand by then": [
    ...(["seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"] as const),
  ],
};
