/* What hostile native code tries: a library for a child that loads it before its walls stand, and a program for a command. Each attempt is made so
 * that it does no harm where it is let through, and answers 0 then, else the number of the error. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char vault[512], folder[512], local[128], abstract[108];
static int victim, port;

void setup(const char *a_vault, const char *a_folder, const char *a_local, const char *an_abstract, int a_victim, int a_port) {
  snprintf(vault, sizeof vault, "%s", a_vault);
  snprintf(folder, sizeof folder, "%s", a_folder);
  snprintf(local, sizeof local, "%s", a_local);
  snprintf(abstract, sizeof abstract, "%s", an_abstract);
  victim = a_victim;
  port = a_port;
}

/* -1 and errno, as the C library says it, to an error. */
static int said(long answer) { return answer < 0 ? errno : 0; }

static int opened(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}
static const char *in(const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
static const char *of(const char *name) {
  static char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", victim, name);
  return path;
}

/* Files. */
static int read_vault(void) { return opened(vault, O_RDONLY); }
static int read_etc(void) { return opened("/etc/passwd", O_RDONLY); }
static int read_image(void) { return opened("/proc/self/exe", O_RDONLY); }
static int read_own_memory(void) { return opened("/proc/self/mem", O_RDWR); }
static int open_new_way(void) {
  struct { uint64_t flags, mode, resolve; } how = {0};
  long fd = syscall(437, AT_FDCWD, vault, &how, sizeof how);
  if (fd < 0) return errno;
  close((int)fd);
  return 0;
}
static int list_root(void) { return opened("/", O_RDONLY | O_DIRECTORY); }
static int environ_of(void) { return opened(of("environ"), O_RDONLY); }
static int memory_of(void) { return opened(of("mem"), O_RDONLY); }
static int maps_of(void) { return opened(of("maps"), O_RDONLY); }
static int descriptors_of(void) { return opened(of("fd"), O_RDONLY | O_DIRECTORY); }
static int make_file(void) { return opened(in("planted"), O_CREAT | O_WRONLY); }
static int make_folder(void) { return said(mkdir(in("a-folder"), 0700)); }
static int make_link(void) { return said(symlink("/etc/passwd", in("a-link"))); }
static int hard_link(void) { return said(link(vault, in("a-name"))); }
static int rename_vault(void) {
  char other[520];
  snprintf(other, sizeof other, "%s.other", vault);
  if (rename(vault, other) < 0) return errno;
  return said(rename(other, vault));
}
static int remove_spare(void) { return said(unlink(in("spare"))); }
static int cut_spare(void) { return said(truncate(in("cut"), 0)); }
static int change_mode(void) { return said(chmod(vault, 0600)); }
static int make_pipe_file(void) { return said(mknod(in("a-fifo"), S_IFIFO | 0600, 0)); }
static int watch_folder(void) {
  int fd = inotify_init1(IN_CLOEXEC);
  if (fd < 0) return errno;
  int answer = said(inotify_add_watch(fd, folder, IN_MODIFY));
  close(fd);
  return answer;
}
static int fill_disk(void) {
  int fd = open(in("filler"), O_CREAT | O_WRONLY, 0600);
  if (fd < 0) return errno;
  int answer = said(posix_fallocate(fd, 0, 1 << 20) == 0 ? 0 : -1);
  close(fd);
  unlink(in("filler"));
  return answer;
}
/* Descriptor 5 is a file that whoever started this left open. */
static int grow_inherited(void) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
  sigaction(SIGXFSZ, &ignore, &before);
  int answer = said(pwrite(5, "x", 1, 100));
  sigaction(SIGXFSZ, &before, NULL);
  return answer;
}
static int persist(void) { return opened(in(".profile"), O_CREAT | O_WRONLY | O_APPEND); }

/* Sockets. Where nobody answers, it was let through as well. */
static int reached(int answer) {
  if (answer == 0) return 0;
  switch (errno) {
    case EINPROGRESS: case ECONNREFUSED: case ENETUNREACH: case EHOSTUNREACH: case EADDRNOTAVAIL: case ENODEV: case ETIMEDOUT: return 0;
    default: return errno;
  }
}
static int connect_to(int family, int type, const void *address, socklen_t length) {
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int answer = reached(connect(fd, address, length));
  close(fd);
  return answer;
}
static int tcp(const char *host, int at) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at)};
  inet_pton(AF_INET, host, &to.sin_addr);
  return connect_to(AF_INET, SOCK_STREAM, &to, sizeof to);
}
static int tcp_loopback(void) { return tcp("127.0.0.1", port); }
static int tcp_private(void) { return tcp("10.255.255.1", 80); }
static int tcp_metadata(void) { return tcp("169.254.169.254", 80); }
static int tcp_literal(void) { return tcp("192.0.2.1", 443); }
static int tcp_ipv6(void) {
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int answer = connect_to(AF_INET6, SOCK_STREAM, &to, sizeof to);
  return answer;
}
static int udp_question(void) {
  static const char question[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07" "example\x03" "com\0\0\x01\0\x01";
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int answer = reached(sendto(fd, question, sizeof question, 0, (void *)&to, sizeof to) < 0 ? -1 : 0);
  close(fd);
  return answer;
}
static int listens(int type) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int answer = said(bind(fd, (void *)&at, sizeof at));
  if (answer == 0 && type == SOCK_STREAM) answer = said(listen(fd, 1));
  close(fd);
  return answer;
}
static int tcp_listen(void) { return listens(SOCK_STREAM); }
static int udp_bind(void) { return listens(SOCK_DGRAM); }
static int opens(int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}
static int raw(void) { return opens(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static int packet(void) { return opens(AF_PACKET, SOCK_DGRAM, 0); }
static int netlink(void) { return opens(AF_NETLINK, SOCK_RAW, 0); }
static int vsock(void) { return opens(AF_VSOCK, SOCK_STREAM, 0); }
static int path_address(struct sockaddr_un *to) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  memcpy(to->sun_path, local, sizeof to->sun_path - 1);
  return sizeof *to;
}
static int unix_path(void) {
  struct sockaddr_un to;
  socklen_t length = path_address(&to);
  return connect_to(AF_UNIX, SOCK_STREAM, &to, length);
}
static int unix_abstract(void) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  memcpy(to.sun_path + 1, abstract, strlen(abstract));
  return connect_to(AF_UNIX, SOCK_STREAM, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract)));
}
static int unix_pair(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) return errno;
  struct sockaddr_un to;
  socklen_t length = path_address(&to);
  int answer = connect(pair[0], (void *)&to, length) == 0 || errno == EPROTOTYPE ? 0 : errno;
  close(pair[0]);
  close(pair[1]);
  return answer;
}

/* A ring: what it does, no filter sees. */
static int ring_new(void) {
  struct io_uring_params parameters = {0};
  long fd = syscall(SYS_io_uring_setup, 4, &parameters);
  if (fd < 0) return errno;
  close((int)fd);
  return 0;
}
/* The one that libuv made: a socket is opened through it. */
static int ring_found(void) {
  for (int fd = 3; fd < 64; fd++) {
    struct stat about;
    /* A ring's descriptor is of no kind that has a name, and maps its submissions at this offset. */
    if (fstat(fd, &about) < 0 || (about.st_mode & S_IFMT) != 0) continue;
    size_t size = 256 * sizeof(struct io_uring_sqe);
    struct io_uring_sqe *entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
    if (entries == MAP_FAILED) continue;
    char *ring = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    if (ring == MAP_FAILED) { munmap(entries, size); continue; }
    uint32_t *tail = (uint32_t *)(ring + 4), mask = *(uint32_t *)(ring + 16);
    struct io_uring_sqe *entry = &entries[*tail & mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = 45; /* IORING_OP_SOCKET */
    entry->fd = AF_INET;
    entry->off = SOCK_STREAM;
    entry->flags = 0;
    entry->user_data = 0;
    uint32_t *done = (uint32_t *)(ring + 12), was = __atomic_load_n(done, __ATOMIC_ACQUIRE);
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    long entered = syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    int answer = entered < 0 ? errno : 0;
    if (entered == 1) {
      struct io_uring_cqe *ends = (void *)(ring + 64);
      int result = ends[was & *(uint32_t *)(ring + 20)].res;
      __atomic_store_n((uint32_t *)(ring + 8), was + 1, __ATOMIC_RELEASE);
      if (result < 0) answer = -result;
      else close(result);
    }
    munmap(entries, size);
    munmap(ring, 16384);
    return answer;
  }
  return EPERM; /* there is none */
}

/* Other processes. */
static int signal_it(void) { return said(kill(victim, 0)); }
static int signal_thread(void) { return said(syscall(SYS_tgkill, victim, victim, 0)); }
static int signal_old(void) { return said(syscall(SYS_tkill, victim, 0)); }
static int signal_group(void) { return said(kill(0, 0)); }
static int signal_queue(void) {
  siginfo_t info = {.si_code = SI_QUEUE};
  return said(syscall(SYS_rt_sigqueueinfo, victim, 0, &info));
}
static int process_descriptor(void) {
  long fd = syscall(SYS_pidfd_open, victim, 0);
  if (fd < 0) return errno;
  close((int)fd);
  return 0;
}
static int signal_by_ready(void) { return said(fcntl(3, F_SETOWN, victim)); }
static int trace(void) {
  long answer = ptrace(PTRACE_SEIZE, victim, NULL, NULL);
  if (answer < 0) return errno;
  ptrace(PTRACE_INTERRUPT, victim, NULL, NULL);
  waitpid(victim, NULL, __WALL);
  ptrace(PTRACE_DETACH, victim, NULL, NULL);
  return 0;
}
static int read_memory(void) {
  struct iovec nothing = {0};
  return said(process_vm_readv(victim, &nothing, 0, &nothing, 0, 0));
}
static int write_memory(void) {
  struct iovec nothing = {0};
  return said(process_vm_writev(victim, &nothing, 0, &nothing, 0, 0));
}
static int compare(void) { return said(syscall(SYS_kcmp, victim, victim, 0, 0, 0)); }
static int renice(void) { return said(setpriority(PRIO_PROCESS, victim, getpriority(PRIO_PROCESS, victim))); }
static int set_affinity(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return errno;
  return said(sched_setaffinity(victim, sizeof set, &set));
}
static int set_io_priority(void) { return said(syscall(SYS_ioprio_set, 1, victim, 0)); }
static int limit_other(void) {
  struct rlimit now;
  if (prlimit(victim, RLIMIT_NOFILE, NULL, &now) < 0) return errno;
  return said(prlimit(victim, RLIMIT_NOFILE, &now, NULL));
}
static int scheduler_of(void) {
  struct sched_param parameter = {0};
  return said(syscall(SYS_sched_setparam, victim, &parameter));
}
static int migrate(void) { return said(syscall(SYS_move_pages, victim, 0, NULL, NULL, NULL, 0)); }

/* New processes and programs. */
static int forks(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) return errno;
  if (pid == 0) _exit(0);
  waitpid((pid_t)pid, NULL, 0);
  return 0;
}
static int outlive_by_fork(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) return errno;
  if (pid == 0) _exit(setsid() < 0);
  int status;
  waitpid((pid_t)pid, &status, 0);
  return WEXITSTATUS(status) == 0 ? 0 : EPERM;
}
static int executes(void) {
  char *words[] = {"/nonexistent", NULL};
  execve("/nonexistent", words, NULL);
  return errno == ENOENT ? 0 : errno;
}
static int execute_memory(void) {
  long fd = syscall(SYS_memfd_create, "x", MFD_CLOEXEC);
  if (fd < 0) return errno;
  char *words[] = {"x", NULL};
  syscall(SYS_execveat, (int)fd, "", words, NULL, AT_EMPTY_PATH);
  int answer = errno == ENOEXEC || errno == EACCES ? 0 : errno;
  close((int)fd);
  return answer;
}
static int hidden_memory(void) {
  long fd = syscall(SYS_memfd_create, "x", MFD_CLOEXEC);
  if (fd < 0) return errno;
  int answer = said(ftruncate((int)fd, 1 << 20));
  close((int)fd);
  return answer == EFBIG ? EPERM : answer;
}
static int namespaces(void) { return said(unshare(CLONE_FS)); }
static int other_user(void) { return said(syscall(SYS_setuid, getuid())); }
static int outlive(void) { return said(prctl(PR_SET_PDEATHSIG, SIGKILL)); }
static int be_dumped(void) {
  int was = prctl(PR_GET_DUMPABLE);
  int answer = said(prctl(PR_SET_DUMPABLE, 1));
  if (answer == 0 && was == 0) prctl(PR_SET_DUMPABLE, 0);
  return answer;
}
static int call_tracer(void) { return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0 || errno == EINVAL ? 0 : errno; }
static int secure_bits(void) { return said(prctl(PR_SET_KEEPCAPS, 0)); }
static int raise_limits(void) {
  struct rlimit now;
  if (getrlimit(RLIMIT_NOFILE, &now) < 0) return errno;
  return said(setrlimit(RLIMIT_NOFILE, &now));
}

/* Exhausting. */
static int memory_bomb(void) {
  void *taken = mmap(NULL, 3UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (taken == MAP_FAILED) return errno;
  munmap(taken, 3UL << 30);
  return 0;
}
static int descriptor_bomb(void) {
  enum { MANY = 1500 };
  static int held[MANY];
  int count = 0, answer = 0;
  while (count < MANY) {
    int fd = dup(0);
    if (fd < 0) { answer = errno; break; }
    held[count++] = fd;
  }
  while (count > 0) close(held[--count]);
  return answer;
}
static int core_file(void) {
  struct rlimit now;
  if (getrlimit(RLIMIT_CORE, &now) < 0) return errno;
  if (now.rlim_max == 0) return EPERM;
  return 0;
}
static int shared_memory(void) {
  long id = syscall(SYS_shmget, 0, 4096, 0600 | 01000);
  if (id < 0) return errno;
  syscall(SYS_shmctl, id, 0, NULL);
  return 0;
}
static int semaphores(void) {
  long id = syscall(SYS_semget, 0, 1, 0600 | 01000);
  if (id < 0) return errno;
  syscall(SYS_semctl, id, 0, 0, NULL);
  return 0;
}
static int messages(void) {
  long id = syscall(SYS_msgget, 0, 0600 | 01000);
  if (id < 0) return errno;
  syscall(SYS_msgctl, id, 0, NULL);
  return 0;
}
static int queue(void) {
  long fd = syscall(SYS_mq_open, "wirken-attempt", O_CREAT | O_RDWR, 0600, NULL);
  if (fd < 0) return errno;
  close((int)fd);
  syscall(SYS_mq_unlink, "wirken-attempt");
  return 0;
}

/* The kernel. */
static int keys(void) { return said(syscall(SYS_keyctl, 0, -3, 0)); }
static int add_a_key(void) { return said(syscall(SYS_add_key, "user", "wirken-attempt", "x", 1, -2)); }
static int mounts(void) { return said(mount("none", "/nonexistent", "tmpfs", 0, NULL)) == ENOENT ? 0 : errno; }
static int change_root(void) { return said(chroot("/")); }
static int program_kernel(void) { return syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno == EINVAL || errno == E2BIG || errno == EFAULT ? 0 : errno; }
static int count_events(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0 || errno == EFAULT ? 0 : errno; }
static int fault_handler(void) {
  long fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1);
  if (fd < 0) return errno;
  close((int)fd);
  return 0;
}
static int file_handle(void) {
  struct { struct file_handle head; char bytes[128]; } handle = {.head = {.handle_bytes = 128}};
  int mount_id;
  return name_to_handle_at(AT_FDCWD, folder, &handle.head, &mount_id, 0) == 0 || errno == EOPNOTSUPP ? 0 : errno;
}
static int persona(void) { return said(syscall(SYS_personality, 0xffffffffUL)); }
static int kernel_log(void) { return said(syscall(SYS_syslog, 10, NULL, 0)); }
static int type_in_terminal(void) { return ioctl(0, TIOCSTI, "x") == 0 || errno == ENOTTY || errno == EIO || errno == EINVAL ? 0 : errno; }
static int own_filter(void) {
  return syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &(uint32_t){0x7fff0000}) == 0 ? 0 : errno;
}
static int new_walls(void) { return said(syscall(444, NULL, 0, 1)); }

static const struct { const char *name; int (*try)(void); } ATTEMPTS[] = {
#define ROW(words, function) {words, function},
#include "attempts.h"
#undef ROW
};

const char *name_of(int at) { return at < (int)(sizeof ATTEMPTS / sizeof *ATTEMPTS) ? ATTEMPTS[at].name : ""; }
int attempt(int at) { return ATTEMPTS[at].try(); }

int main(int count, char **words) {
  if (count < 7) return 2;
  setup(words[1], words[2], words[3], words[4], atoi(words[5]), atoi(words[6]));
  printf("{");
  for (int at = 0; *name_of(at); at++) { printf("%s\"%s\":%d", at ? "," : "", name_of(at), attempt(at)); fflush(stdout); }
  printf("}\n");
  return 0;
}
