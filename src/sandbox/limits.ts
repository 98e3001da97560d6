/** What one command may use. */
export interface Limits {
  /** Bytes of memory, all its processes together; looked at every 100 ms. */
  readonly memory: number;
  /** Processes and threads at once. */
  readonly processes: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  /** Bytes that are kept of standard output, and as many of standard error. */
  readonly output: number;
  /** Bytes of one file. */
  readonly file: number;
  /** Open files of one process. */
  readonly openFiles: number;
  /** Bytes in /tmp, which is memory. */
  readonly temporary: number;
  /** Bytes in /dev/shm, which is memory. */
  readonly shared: number;
  /** Bytes that a command which writes leaves free on the disk of the workspace: the log lies there too. */
  readonly diskReserve: number;
}

const MB = 1 << 20;

export const LIMITS: Limits = {
  memory: 512 * MB,
  processes: 256,
  seconds: 60,
  output: MB,
  file: 1024 * MB,
  openFiles: 1024,
  temporary: 256 * MB,
  shared: 64 * MB,
  diskReserve: 256 * MB,
};
