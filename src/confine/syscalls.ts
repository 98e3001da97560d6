export type Machine = "x64" | "arm64";

/** Numbers of Linux system calls on x86_64 and on aarch64; null where there is none.
 *  @see https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/syscalls/syscall_64.tbl
 *  @see https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/scripts/syscall.tbl */
type Numbers = readonly [x64: number, arm64: number | null];

/** Refused to every child, whatever the arguments. */
const REFUSED = {
  // Other processes: their memory, their descriptors, their scheduling. (Signals depend on the target: see filter.ts.)
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  process_mrelease: [448, 448],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  kcmp: [312, 272],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  tkill: [200, 130],
  setpriority: [141, 140],
  ioprio_set: [251, 30],
  sched_setaffinity: [203, 122],
  sched_setattr: [314, 274],
  sched_setparam: [142, 118],
  sched_setscheduler: [144, 119],
  // Memory and queues that two compartments could share by a number.
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  semop: [65, 193],
  semtimedop: [220, 192],
  semctl: [66, 191],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  mq_open: [240, 180],
  // Another program, another process.
  execve: [59, 221],
  execveat: [322, 281],
  fork: [57, null],
  vfork: [58, null],
  // Another user: a change of it also ends the promise to die with the supervisor.
  setuid: [105, 146],
  setgid: [106, 144],
  setreuid: [113, 145],
  setregid: [114, 143],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setfsuid: [122, 151],
  setfsgid: [123, 152],
  setgroups: [116, 159],
  capset: [126, 91],
  setrlimit: [160, 164],
  // Ways past the filter. (io_uring_enter stays: libuv aborts without it.)
  io_uring_setup: [425, 425],
  io_uring_register: [427, 427],
  // Large parts of the kernel that no child needs, many of them for root only.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  mount_setattr: [442, 442],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  unshare: [272, 97],
  setns: [308, 268],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, null],
  query_module: [178, null],
  get_kernel_syms: [177, null],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  personality: [135, 92],
  modify_ldt: [154, null],
  iopl: [172, null],
  ioperm: [173, null],
  uselib: [134, null],
  _sysctl: [156, null],
  syslog: [103, 116],
  vhangup: [153, 58],
} as const satisfies Record<string, Numbers>;

/** Refused or not by their arguments, or by the role. */
const DEPENDING = {
  clone: [56, 220],
  clone3: [435, 435],
  connect: [42, 203],
  fcntl: [72, 25],
  ioctl: [16, 29],
  kill: [62, 129],
  prctl: [157, 167],
  prlimit64: [302, 261],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  sendmmsg: [307, 269],
  sendmsg: [46, 211],
  sendto: [44, 206],
  socket: [41, 198],
  socketpair: [53, 199],
  tgkill: [234, 131],
} as const satisfies Record<string, readonly [number, number]>;

/** @returns the numbers of what is always refused. */
export function refused(machine: Machine): number[] {
  const column = machine === "x64" ? 0 : 1;
  return Object.values<Numbers>(REFUSED).flatMap((numbers) => numbers[column] ?? []);
}

/** @returns the numbers of what makes an io_uring. */
export function ringCalls(machine: Machine): number[] {
  const column = machine === "x64" ? 0 : 1;
  return [REFUSED.io_uring_setup[column], REFUSED.io_uring_register[column]];
}

/** @returns the number of a call whose arguments are looked at. */
export function numberOf(machine: Machine, name: keyof typeof DEPENDING): number {
  return DEPENDING[name][machine === "x64" ? 0 : 1];
}

/** The system call `seccomp` itself. */
export const SECCOMP: Readonly<Record<Machine, number>> = { x64: 317, arm64: 277 };
