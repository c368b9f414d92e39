/* lprocess.c -- the module celements.process: a second process for a plain script, and
 * what else plain Lua cannot ask of the system.
 *
 * Owns nothing: processes and descriptors go to the caller as plain numbers, and
 * the caller waits for them and closes them.  Every descriptor it makes is closed
 * on exec.  Knows nothing of the core, of sockets or of HTTP; only the sandbox, the
 * loopback listener and the stores use it.  nginx workers must not fork. */
#define _GNU_SOURCE   /* pipe2 */

#include "ce.h"
#include "lcompat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000L
#define SLEEP_MAX    86400.0   /* seconds; longer than anybody waits for a child */

/* -> nil, "what: reason" */
static int failed(lua_State *L, const char *what, int error)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, strerror(error));
    return 2;
}

/* -> true, or nil, message */
static int done_or_failed(lua_State *L, const char *what, int rc)
{
    if (rc != 0)
        return failed(L, what, errno);
    lua_pushboolean(L, 1);
    return 1;
}

static int check_fd(lua_State *L, int arg)
{
    lua_Number fd = luaL_checknumber(L, arg);

    luaL_argcheck(L, fd >= 0 && fd <= 1e6 && fd == (lua_Number)(int)fd, arg, "not a descriptor");
    return (int)fd;
}

/* 0, -1 and 1 mean the group, everybody and init: never what is meant here. */
static pid_t check_pid(lua_State *L, int arg)
{
    lua_Number pid = luaL_checknumber(L, arg);

    luaL_argcheck(L, pid > 1 && pid <= 2147483647.0 && pid == (lua_Number)(int)pid, arg, "not a process id");
    return (pid_t)pid;
}

static double check_seconds(lua_State *L, int arg)
{
    lua_Number seconds = luaL_checknumber(L, arg);

    luaL_argcheck(L, seconds >= 0, arg, "not a number of seconds");   /* refuses NaN as well */
    return seconds < SLEEP_MAX ? (double)seconds : SLEEP_MAX;
}

static const struct {
    const char *name;
    int number;
} signals[] = {
    { "0", 0 },          { "HUP", SIGHUP },   { "INT", SIGINT },   { "QUIT", SIGQUIT },
    { "KILL", SIGKILL }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "PIPE", SIGPIPE },
    { "TERM", SIGTERM }, { "CHLD", SIGCHLD }, { "CONT", SIGCONT }, { "STOP", SIGSTOP },
};

/* A signal by name ("TERM", "SIGTERM") or number. */
static int check_signal(lua_State *L, int arg)
{
    const char *name;
    size_t i;

    if (lua_type(L, arg) == LUA_TNUMBER) {
        lua_Number number = lua_tonumber(L, arg);
        luaL_argcheck(L, number >= 0 && number <= 64 && number == (lua_Number)(int)number, arg, "not a signal");
        return (int)number;
    }
    name = luaL_checkstring(L, arg);
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (strcmp(name, signals[i].name) == 0)
            return signals[i].number;
    return luaL_argerror(L, arg, "not a signal");
}

static double monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / (double)NSEC_PER_SEC;
}

/* Sleeps once; a signal ends it early. */
static void nap(double seconds)
{
    struct timespec t;

    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * (double)NSEC_PER_SEC);
    (void)nanosleep(&t, NULL);
}

/* fork() -> pid in the parent, 0 in the child | nil, message */
static int process_fork(lua_State *L)
{
    pid_t pid = fork();

    if (pid < 0)
        return failed(L, "fork", errno);
    lua_pushinteger(L, (lua_Integer)pid);
    return 1;
}

/* kill(pid, signal) -> true | nil, message */
static int process_kill(lua_State *L)
{
    pid_t pid = check_pid(L, 1);
    int number = check_signal(L, 2);

    return done_or_failed(L, "kill", kill(pid, number));
}

/* wait(pid, seconds) -> true, status | false | nil, message
 * status is the exit code, or 128 and the signal's number as shells have it.
 * Polls, at first every millisecond: Lua cannot wait for SIGCHLD. */
static int process_wait(lua_State *L)
{
    pid_t pid = check_pid(L, 1);
    double deadline = monotonic() + check_seconds(L, 2);
    double pause = 0.001;

    for (;;) {
        int status;
        pid_t got = waitpid(pid, &status, WNOHANG);
        double left = deadline - monotonic();

        if (got == pid) {
            lua_pushboolean(L, 1);
            lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            return 2;
        }
        if (got < 0 && errno != EINTR)
            return failed(L, "wait", errno);
        if (left <= 0) {
            lua_pushboolean(L, 0);
            return 1;
        }
        nap(left < pause ? left : pause);
        if (pause < 0.02)
            pause *= 1.5;
    }
}

/* exit(code): ends this process at once.  No buffer is flushed, no finalizer and no
 * atexit handler runs: in a child they all belong to the parent. */
static int process_exit(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
    return 0;   /* not reached */
}

/* pipe() -> read end, write end | nil, message */
static int process_pipe(lua_State *L)
{
    int fds[2];

#ifdef __linux__
    if (pipe2(fds, O_CLOEXEC) != 0)
        return failed(L, "pipe", errno);
#else
    if (pipe(fds) != 0)
        return failed(L, "pipe", errno);
    (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
#endif
    lua_pushinteger(L, fds[0]);
    lua_pushinteger(L, fds[1]);
    return 2;
}

/* close(fd) -> true | nil, message */
static int process_close(lua_State *L)
{
    return done_or_failed(L, "close", close(check_fd(L, 1)));
}

/* close_on_exec(fd) -> true | nil, message: for a descriptor somebody else made. */
static int process_close_on_exec(lua_State *L)
{
    return done_or_failed(L, "fcntl", fcntl(check_fd(L, 1), F_SETFD, FD_CLOEXEC));
}

static int is_kept(lua_State *L, int fd)
{
    int i;

    for (i = lua_gettop(L); i > 0; i--)
        if ((int)lua_tonumber(L, i) == fd)
            return 1;
    return 0;
}

/* keep_only(fd, ...) -> true | nil, message
 * Points every other descriptor of this process at /dev/null.  For a forked child:
 * it lets go of the parent's connections, pipes and files, and because the numbers
 * stay taken, a finalizer that closes one later cannot hit a new connection. */
static int process_keep_only(lua_State *L)
{
    long limit = sysconf(_SC_OPEN_MAX);   /* valgrind has descriptors of its own above it */
    int null_fd;
    DIR *open_fds;
    struct dirent *entry;
    int i;

    for (i = lua_gettop(L); i > 0; i--)
        (void)check_fd(L, i);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return failed(L, "/dev/null", errno);
    open_fds = opendir("/dev/fd");
    if (open_fds == NULL) {
        int error = errno;
        (void)close(null_fd);
        return failed(L, "/dev/fd", error);
    }
    while ((entry = readdir(open_fds)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);

        if (end == entry->d_name || fd < 0 || fd >= limit)
            continue;
        if (fd != null_fd && fd != dirfd(open_fds) && !is_kept(L, (int)fd))
            (void)dup2(null_fd, (int)fd);
    }
    (void)closedir(open_fds);
    (void)close(null_fd);
    lua_pushboolean(L, 1);
    return 1;
}

/* ignore(signal) -> true | nil, message */
static int process_ignore(lua_State *L)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_IGN;
    return done_or_failed(L, "sigaction", sigaction(check_signal(L, 1), &action, NULL));
}

/* private_file(path) -> private, permissions | nil, message
 * Makes a file that only its owner can read or write, if there is none.  false: there is
 * one that others can read or write. */
static int process_private_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    struct stat about;
    int rc;
    int error;

    if (fd < 0)
        return failed(L, "open", errno);
    rc = fstat(fd, &about);
    error = errno;
    (void)close(fd);
    if (rc != 0)
        return failed(L, "stat", error);
    lua_pushboolean(L, (about.st_mode & (S_IRWXG | S_IRWXO)) == 0);
    lua_pushinteger(L, (lua_Integer)(about.st_mode & 0777));
    return 2;
}

/* sleep(seconds): a signal ends it early, so that Ctrl-C is not kept waiting. */
static int process_sleep(lua_State *L)
{
    nap(check_seconds(L, 1));
    return 0;
}

static int process_getpid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

static int process_getppid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getppid());
    return 1;
}

static const luaL_Reg functions[] = {
    { "fork", process_fork },
    { "kill", process_kill },
    { "wait", process_wait },
    { "exit", process_exit },
    { "pipe", process_pipe },
    { "close", process_close },
    { "close_on_exec", process_close_on_exec },
    { "keep_only", process_keep_only },
    { "ignore", process_ignore },
    { "private_file", process_private_file },
    { "sleep", process_sleep },
    { "getpid", process_getpid },
    { "getppid", process_getppid },
    { NULL, NULL },
};

CE_EXPORT int luaopen_celements_process(lua_State *L);

CE_EXPORT int luaopen_celements_process(lua_State *L)
{
    lua_newtable(L);
    ce_setfuncs(L, functions);
    return 1;
}
