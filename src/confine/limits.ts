/** The most that a child may use, by asm-generic/resource.h. There is none for the number of processes: the kernel counts that by user, with the
 *  operator's own, and root is not bound by it. No child makes a process: its filter lets `clone` make threads and nothing else. */

export const RLIMIT_CORE = 4;
const GIB = 1_073_741_824;

export const LIMITS = [
  // Bytes of a core file: it would hold a credential.
  { resource: RLIMIT_CORE, name: "RLIMIT_CORE", most: 0 },
  // Bytes of a file that is written: no child writes one. Pipes and sockets are not files.
  { resource: 1, name: "RLIMIT_FSIZE", most: 0 },
  // Open descriptors: a busy adapter has some hundred connections.
  { resource: 7, name: "RLIMIT_NOFILE", most: 1024 },
  // Bytes of private memory. A child at rest has about 600 MiB of address space that counts here.
  { resource: 2, name: "RLIMIT_DATA", most: 2 * GIB },
  // Bytes in message queues: they outlive who made them.
  { resource: 12, name: "RLIMIT_MSGQUEUE", most: 0 },
] as const;
