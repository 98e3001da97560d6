/** How Node is started: baked into the executable (`execArgvExtension: "none"`), and given on the command line where there is none, as in
 *  unit tests. A process starts with every permission that any role of ours needs and drops what its own does not: see confine.ts. */
export const NODE_FLAGS: readonly string[] = [
  // Without it `process.permission` does not exist, and nothing can be dropped.
  "--permission",
  // The supervisor's databases and configuration; a child reads /proc and its addon before it drops these.
  "--allow-fs-read=*",
  "--allow-fs-write=*",
  // Egress, ingress, and the supervisor's control socket. A list of hosts here would silently mean every host: who may be reached is not decided by this flag.
  "--allow-net",
  // The supervisor starts its children, and commands in their sandbox.
  "--allow-child-process",
  // pino and the SDKs may start threads in the supervisor; every child drops it.
  "--allow-worker",
  // better-sqlite3 in the supervisor, keytar in the keychain helper.
  "--allow-addons",
  // The walls of a child are built by calls of the C library. (`node:ffi` itself is on in Node 26: it needs no `--experimental-ffi`.)
  "--allow-ffi",
  // Else SIGUSR1 from anybody of this account opens the inspector, which can do what the process can.
  "--disable-sigusr1",
  // It opens any file whatever the permissions say.
  "--no-experimental-sqlite",
  // Each `--allow-…` above warns that it weakens the model: it does until it is dropped. Addons, children, FFI, workers:
  "--disable-warning=PERM0001",
  "--disable-warning=PERM0002",
  "--disable-warning=PERM0003",
  "--disable-warning=PERM0006",
  // "FFI is an experimental feature" and "--allow-net is under experimental phase" have no code of their own; other warnings stay on.
  "--disable-warning=ExperimentalWarning",
];
