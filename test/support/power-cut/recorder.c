/* Preloaded into a process that writes a log: keeps, in order, what it asks of the files of one folder, and fails what it is told to fail.
 *
 * RECORDER_FOLDER   only files below it are kept
 * RECORDER_OUT      where to: records of `u8 type, u64 file, u64 offset, u64 length, length bytes` (native byte order)
 * RECORDER_FAIL     optional, `sync|write N COUNT`: the Nth call of that sort on an `audit.db-wal`, and COUNT-1 after it, fail with EIO
 *
 * types: 'o' name (offset 1: created, 2: truncated)   'w' bytes   't' truncated to offset   's' synced
 *        'd' folder synced   'r' renamed (old NUL new)   'u' unlinked
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
enum { FOREIGN, OURS, FOLDER };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[4096];
static size_t folder_length;
static int out = -1;
static char kind_of[FILES], is_wal[FILES];
static uint64_t id_of[FILES];
static char fail_what;
static long fail_from, fail_count, calls;

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("RECORDER_FOLDER"), *to = getenv("RECORDER_OUT"), *fail = getenv("RECORDER_FAIL");
  if (where == NULL || to == NULL) return;
  folder_length = strlen(strncpy(folder, where, sizeof folder - 1));
  out = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  char word[8];
  if (fail != NULL && sscanf(fail, "%7s %ld %ld", word, &fail_from, &fail_count) == 3) fail_what = word[0];
}

static void all(const void *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = syscall(SYS_write, out, bytes, length);
    if (done <= 0) abort();
    bytes = (const char *)bytes + done;
    length -= (size_t)done;
  }
}

static void keep(char type, uint64_t file, uint64_t offset, const void *bytes, uint64_t length) {
  if (out < 0) return;
  all(&type, 1);
  all(&file, 8);
  all(&offset, 8);
  all(&length, 8);
  all(bytes, length);
}

static int below(const char *path) {
  return out >= 0 && strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}
static int ours(int fd) { return fd >= 0 && fd < FILES && kind_of[fd] == OURS; }

static int broken(int fd, char what) {
  if (fail_what != what || !ours(fd) || !is_wal[fd]) return 0;
  calls++;
  return calls >= fail_from && calls < fail_from + fail_count;
}

static int opened(int fd, const char *path, int flags, int existed) {
  if (fd < 0 || fd >= FILES || !below(path)) return fd;
  struct stat is;
  if (fstat(fd, &is) != 0) return fd;
  pthread_mutex_lock(&lock);
  id_of[fd] = is.st_ino;
  kind_of[fd] = S_ISDIR(is.st_mode) ? FOLDER : OURS;
  size_t length = strlen(path);
  is_wal[fd] = length > 12 && strcmp(path + length - 12, "audit.db-wal") == 0;
  if (kind_of[fd] == OURS)
    keep('o', is.st_ino, (existed ? 0 : 1) | ((flags & O_TRUNC) ? 2 : 0), path, length);
  pthread_mutex_unlock(&lock);
  return fd;
}

#define OPENS(name, real_type, arguments, call)                      \
  int name arguments {                                               \
    static int (*real) real_type;                                    \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name);     \
    mode_t mode = 0;                                                 \
    if (flags & (O_CREAT | __O_TMPFILE)) {                           \
      va_list rest;                                                  \
      va_start(rest, flags);                                         \
      mode = va_arg(rest, mode_t);                                   \
      va_end(rest);                                                  \
    }                                                                \
    struct stat before;                                              \
    int existed = below(path) && lstat(path, &before) == 0;          \
    return opened(call, path, flags, existed);                       \
  }
OPENS(open, (const char *, int, ...), (const char *path, int flags, ...), real(path, flags, mode))
OPENS(open64, (const char *, int, ...), (const char *path, int flags, ...), real(path, flags, mode))
OPENS(openat, (int, const char *, int, ...), (int at, const char *path, int flags, ...), real(at, path, flags, mode))
OPENS(openat64, (int, const char *, int, ...), (int at, const char *path, int flags, ...), real(at, path, flags, mode))

int close(int fd) {
  if (fd == out) return 0;
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < FILES) kind_of[fd] = FOREIGN;
  pthread_mutex_unlock(&lock);
  return (int)syscall(SYS_close, fd);
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t offset, int placed) {
  if (!ours(fd)) return placed ? syscall(SYS_pwrite64, fd, bytes, length, offset) : syscall(SYS_write, fd, bytes, length);
  pthread_mutex_lock(&lock);
  ssize_t done = -1;
  if (broken(fd, 'w')) errno = EIO;
  else {
    if (!placed) {
      struct stat is;
      int flags = fcntl(fd, F_GETFL);
      offset = (flags & O_APPEND) && fstat(fd, &is) == 0 ? is.st_size : lseek(fd, 0, SEEK_CUR);
    }
    done = placed ? syscall(SYS_pwrite64, fd, bytes, length, offset) : syscall(SYS_write, fd, bytes, length);
    int was = errno;
    if (done > 0) keep('w', id_of[fd], (uint64_t)offset, bytes, (uint64_t)done);
    errno = was;
  }
  pthread_mutex_unlock(&lock);
  return done;
}
ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset, 1); }
/* A short count is an allowed answer, so one piece at a time is enough. */
ssize_t writev(int fd, const struct iovec *pieces, int count) {
  if (!ours(fd)) return syscall(SYS_writev, fd, pieces, count);
  return count == 0 ? 0 : written(fd, pieces[0].iov_base, pieces[0].iov_len, 0, 0);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
  if (!ours(fd)) return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
  return count == 0 ? 0 : written(fd, pieces[0].iov_base, pieces[0].iov_len, offset, 1);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) { return pwritev(fd, pieces, count, offset); }

int ftruncate(int fd, off_t length) {
  pthread_mutex_lock(&lock);
  int done = (int)syscall(SYS_ftruncate, fd, length);
  if (done == 0 && ours(fd)) keep('t', id_of[fd], (uint64_t)length, "", 0);
  pthread_mutex_unlock(&lock);
  return done;
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int synced(int fd, long call) {
  pthread_mutex_lock(&lock);
  int done = -1;
  if (broken(fd, 's')) errno = EIO;
  else {
    done = (int)syscall(call, fd);
    if (done == 0 && fd >= 0 && fd < FILES && kind_of[fd] != FOREIGN) keep(kind_of[fd] == OURS ? 's' : 'd', id_of[fd], 0, "", 0);
  }
  pthread_mutex_unlock(&lock);
  return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  int done = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (done == 0 && below(from) && below(to)) {
    char both[8192];
    size_t first = strlen(from) + 1, second = strlen(to);
    if (first + second > sizeof both) abort();
    memcpy(both, from, first);
    memcpy(both + first, to, second);
    keep('r', 0, 0, both, first + second);
  }
  pthread_mutex_unlock(&lock);
  return done;
}
int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  int done = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (done == 0 && below(path)) keep('u', 0, 0, path, strlen(path));
  pthread_mutex_unlock(&lock);
  return done;
}
