/** What a sandboxed command may not ask of the kernel, beside what its namespaces keep from it. */

type Machine = "x64" | "arm64";
/** Numbers on x86_64 and aarch64; null where there is none.
 *  @see https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/syscalls/syscall_64.tbl
 *  @see https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/scripts/syscall.tbl */
type Numbers = readonly [x64: number, arm64: number | null];

/** EPERM: large parts of the kernel that no command needs. */
const REFUSED = {
  // Namespaces and mounts: the way to more kernel than a command was given.
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  quotactl: [179, 60],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  // Other processes' memory and descriptors.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  // Keys belong to the user, not to a namespace.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  syslog: [103, 116],
  personality: [135, 92],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  vhangup: [153, 58],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  modify_ldt: [154, null],
  iopl: [172, null],
  ioperm: [173, null],
  uselib: [134, null],
  _sysctl: [156, null],
} as const satisfies Record<string, Numbers>;

/** ENOSYS: what programs can do without, and ask for first. */
const UNKNOWN = {
  /** Its flags lie in memory, where no filter sees them: the C library then uses clone. */
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  // Memory that belongs to no process, so that no sum over processes counts it.
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  shmget: [29, 194],
  msgget: [68, 186],
  mq_open: [240, 180],
} as const satisfies Record<string, Numbers>;

const CLONE = [56, 220] as const;
const SOCKET = [41, 198] as const;
const IOCTL = [16, 29] as const;

/** Every CLONE_NEW* flag that clone takes. */
const CLONE_NEW = 0x7e02_0000;
/** A path-named socket of the workspace would lead out of it, and vsock knows no namespaces. Loopback and what the C library asks the kernel stay. */
const FAMILIES = { AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 } as const;
/** Typing into a terminal. */
const TERMINAL = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c } as const;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

// linux/seccomp.h; these error numbers are the same on both machines.
const ALLOW = 0x7fff_0000;
const ERRNO = 0x0005_0000;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

// struct seccomp_data: `u32 number, u32 architecture, u64 instruction pointer, u64 arguments[6]`, little-endian on both.
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST = 16;
const SECOND = 24;

const AUDIT_ARCH: Readonly<Record<Machine, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Numbers from here on are the x32 ABI: a second set of names for the same calls. */
const X32 = 0x4000_0000;

/** The filter for `bwrap --seccomp`, as the kernel takes it. @returns null for a machine that has no table here. */
export function commandFilter(machine: string): Uint8Array | null {
  if (machine !== "x64" && machine !== "arm64") return null;
  const column = machine === "x64" ? 0 : 1;
  const all = (table: Readonly<Record<string, Numbers>>, answer: number) =>
    Object.values(table).flatMap((numbers) => {
      const number = numbers[column];
      return number === null ? [] : [{ code: IF_EQUAL, jt: 0, jf: 1, k: number }, fail(answer)];
    });
  return assemble([
    { code: LOAD, jt: 0, jf: 0, k: ARCHITECTURE },
    { code: IF_EQUAL, jt: 1, jf: 0, k: AUDIT_ARCH[machine] },
    // A program for another machine: every call of it fails.
    fail(ENOSYS),
    { code: LOAD, jt: 0, jf: 0, k: NUMBER },
    ...(machine === "x64" ? [{ code: IF_AT_LEAST, jt: 0, jf: 1, k: X32 }, fail(ENOSYS)] : []),
    ...all(REFUSED, EPERM),
    ...all(UNKNOWN, ENOSYS),
    ...on(CLONE[column], [
      { code: LOAD, jt: 0, jf: 0, k: FIRST },
      { code: IF_ANY_BIT, jt: 0, jf: 1, k: CLONE_NEW },
      fail(EPERM),
      { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ]),
    ...on(SOCKET[column], [
      { code: LOAD, jt: 0, jf: 0, k: FIRST },
      ...Object.values(FAMILIES).flatMap((family) => [
        { code: IF_EQUAL, jt: 0, jf: 1, k: family },
        { code: RETURN, jt: 0, jf: 0, k: ALLOW },
      ]),
      fail(EAFNOSUPPORT),
    ]),
    ...on(IOCTL[column], [
      { code: LOAD, jt: 0, jf: 0, k: SECOND },
      ...Object.values(TERMINAL).flatMap((request) => [{ code: IF_EQUAL, jt: 0, jf: 1, k: request }, fail(EPERM)]),
      { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ]),
    { code: RETURN, jt: 0, jf: 0, k: ALLOW },
  ]);
}

function fail(errno: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k: ERRNO | errno };
}

/** `body`, which returns on every path, for one system call; the call's number stays loaded for the next. */
function on(number: number, body: readonly Instruction[]): Instruction[] {
  return [{ code: IF_EQUAL, jt: 0, jf: body.length, k: number }, ...body];
}

function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}
