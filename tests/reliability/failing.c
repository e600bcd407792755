/* A disk that fails at the Nth call: preloaded, it counts what is written, opened, synced and renamed below a folder.
   cc -shared -fPIC -o failing.so failing.c -ldl; LD_PRELOAD=failing.so python failing_disk.py */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char below[4096];
static int at = 0, number = 0, once = 0, calls = 0, hits = 0;

/* Fail with an errno at call ``n`` (0: never) below a folder, there alone or from there on. */
void fail_at(const char *folder, int n, int error, int only) {
    snprintf(below, sizeof below, "%s", folder);
    at = n; number = error; once = only; calls = 0; hits = 0;
}
int calls_seen(void) { return calls; }
int failures(void) { return hits; }

static int fails(const char *path) {
    if (!below[0] || !path || strncmp(path, below, strlen(below)) != 0) return 0;
    calls++;
    if (!at || calls < at || (once && calls > at)) return 0;
    hits++;
    errno = number;
    return 1;
}
static int fails_fd(int fd) {
    char link[64], path[4096];
    int kept = errno;
    if (!below[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (n < 0) return 0;
    path[n] = 0;
    return fails(path);
}
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        return fails(path) ? -1 : real(path, flags, mode); }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(name); va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        return fails(path) ? -1 : real(folder, path, flags, mode); }
OPENAT(openat)
OPENAT(openat64)
ssize_t write(int fd, const void *from, size_t n) { REAL(write); return fails_fd(fd) ? -1 : real(fd, from, n); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t to) {
    REAL(pwrite); return fails_fd(fd) ? -1 : real(fd, from, n, to); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t to) {
    REAL(pwrite64); return fails_fd(fd) ? -1 : real(fd, from, n, to); }
int fsync(int fd) { REAL(fsync); return fails_fd(fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return fails_fd(fd) ? -1 : real(fd); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); return fails_fd(fd) ? -1 : real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); return fails_fd(fd) ? -1 : real(fd, n); }
int rename(const char *from, const char *to) { REAL(rename); return fails(from) ? -1 : real(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat); return fails(from) ? -1 : real(a, from, b, to); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); return fails(path) ? -1 : real(path, mode); }
