// SPDX-License-Identifier: Apache-2.0
// Workers that tune, and who watches them (tune.h). A worker writes a line to file 3 for each event: "built",
// "checked" or "timed" before that is done to a candidate, "bad", "measured" or "row", tab, the key, the shape,
// and the candidate or the row. In its environment: WEIR_TUNE_WORKER, the process that started it;
// WEIR_TUNE_BAD, what must not be tried again; WEIR_TUNE_DONE, the keys that workers before it are done with.
// WEIR_TUNE_FAIL=hang:timed:N or crash:built:N makes the first worker fail when a candidate is to be timed,
// built or checked for the N-th time, for tests.
#include "tune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/strbuf.h"

enum { REPORT = 3, LIMIT = 60, PATIENCE = 600, MAX_WORKERS = 100, LINE = 1024 };

extern char **environ;

// What is being done to a candidate, as a word of a worker's lines.
static const char *const trials[] = {
    [WEIR_TUNE_BUILD] = "built", [WEIR_TUNE_CHECK] = "checked", [WEIR_TUNE_TIME] = "timed"};

// --- the worker ---

static FILE *report;

bool cli_tune_is_worker(void)
{
    return getenv("WEIR_TUNE_WORKER") != NULL;
}

static void fail_if_asked(enum weir_tune_trial trial)
{
    static int times[WEIR_COUNT(trials)];
    const char *asked = getenv("WEIR_TUNE_FAIL"), *bad = getenv("WEIR_TUNE_BAD");
    char how[16], at[16];
    int n;
    times[trial]++;
    if (!asked || (bad && *bad) || sscanf(asked, "%15[^:]:%15[^:]:%d", how, at, &n) != 3 ||
        strcmp(at, trials[trial]) || times[trial] != n)
        return;
    while (!strcmp(how, "hang"))
        pause();
    raise(SIGKILL); // a driver may catch others
}

static void on_event(void *cookie, const struct weir_tune_event *e)
{
    static const char *const what[] = {
        [WEIR_TUNE_REJECTED] = "bad", [WEIR_TUNE_MEASURED] = "measured", [WEIR_TUNE_DONE] = "row"};
    bool trying = e->what == WEIR_TUNE_TRY;
    fprintf(report, "%s\t%016" PRIx64 "\t%s\t", trying ? trials[e->trial] : what[e->what], e->key, e->shape);
    if (e->what == WEIR_TUNE_DONE)
        fprintf(report, "%s\t%s\t%a\t%a\t%d\n", e->row.model, e->row.choice, e->row.model_s,
                e->row.s, e->row.tried);
    else
        fprintf(report, "%s\n", e->candidate ? e->candidate : "");
    fflush(report);
    if (trying)
        fail_if_asked(e->trial);
}

bool cli_tune_join(void)
{
    const char *parent = getenv("WEIR_TUNE_WORKER");
    if (!parent)
        return true;
    // With who watches a worker ends, however that ends: nobody would end a candidate that hangs, and the
    // device would be busy with it. What a driver's compiler starts does not keep the report open.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == atol(parent) && fcntl(REPORT, F_SETFD, FD_CLOEXEC) == 0)
        return true;
    fprintf(stderr, "weir: WEIR_TUNE_WORKER is set, but process %s does not watch this one\n", parent);
    return false;
}

static enum weir_status take_known(weir_device *dev)
{
    struct weir_tuning *t = weir_tuning_of(dev);
    const char *bad = getenv("WEIR_TUNE_BAD"), *done = getenv("WEIR_TUNE_DONE");
    enum weir_status status = t ? WEIR_OK : WEIR_NOMEM;
    uint64_t key;
    int n;
    for (char candidate[LINE]; !status && bad && *bad; bad += strcspn(bad, "\n"), bad += *bad == '\n')
        if (sscanf(bad, "%" SCNx64 " %1023[^\n]", &key, candidate) == 2)
            status = weir_tuning_mark_bad(dev, key, candidate);
    for (; !status && done && sscanf(done, "%" SCNx64 "%n", &key, &n) == 1; done += n)
        weir_tuning_set_done(t, key);
    return status;
}

enum weir_status cli_tune_attach(weir_device *dev, const struct weir_tuner *how)
{
    static struct weir_tuner tuner;
    enum weir_status status = take_known(dev);
    if (status)
        return status;
    report = fdopen(REPORT, "w");
    if (!report)
        return weir_fail(&dev->log, WEIR_IO, "cannot report: %s", strerror(errno));
    if (how)
        tuner = *how;
    tuner.event = on_event;
    dev->tuning->tuner = &tuner;
    dev->tune = WEIR_TUNE_FULL;
    return WEIR_OK;
}

enum weir_status cli_tune_open(const struct weir_log *log, const char *selector,
                               const struct cli_tune *tune, weir_device **dev)
{
    enum weir_status status = cli_open_device(log, selector, dev);
    if (status)
        return status;
    (*dev)->tune = tune->mode;
    return cli_tune_is_worker() ? cli_tune_attach(*dev, NULL) : WEIR_OK;
}

// --- who watches ---

struct watch {
    struct cli_tune *tune;
    struct weir_strbuf bad, done; // for the environment of the next worker
    const char *trial;            // what is being done to the candidate; NULL: nothing runs
    bool terminal;
    int rejected;                 // by this worker
    char key[17], shape[96], candidate[LINE];
};

// The next field of a line of fields between tabs; "" at the end.
static const char *field(char **line)
{
    char *at = *line;
    size_t n = strcspn(at, "\t");
    *line = at + n + (at[n] != 0);
    at[n] = 0;
    return at;
}

static void take_row(struct watch *w, const char *key, const char *shape, char *rest)
{
    struct cli_tune *t = w->tune;
    struct cli_tune_row row = {.key = strtoull(key, NULL, 16)};
    snprintf(row.shape, sizeof(row.shape), "%s", shape);
    snprintf(row.model, sizeof(row.model), "%s", field(&rest));
    snprintf(row.choice, sizeof(row.choice), "%s", field(&rest));
    row.model_s = strtod(field(&rest), NULL);
    row.s = strtod(field(&rest), NULL);
    row.tried = atoi(field(&rest));
    int i = 0;
    weir_strbuf_printf(&w->done, "%s ", key);
    while (i < t->n_rows && t->rows[i].key != row.key)
        i++;
    if (i == t->n_rows) {
        void *grown = realloc(t->rows, (size_t)(i + 1) * sizeof(*t->rows));
        if (!grown)
            return;
        t->rows = grown;
        t->n_rows++;
    }
    t->rows[i] = row;
    if (!w->terminal)
        fprintf(stderr, "tuned %s: %.3f ms, untuned %.3f ms\n", shape, 1e3 * row.s,
                1e3 * row.model_s);
}

static void take_line(struct watch *w, char *line)
{
    const char *what = field(&line), *key = field(&line), *shape = field(&line);
    w->trial = NULL;
    for (size_t i = 0; i < WEIR_COUNT(trials); i++)
        if (!strcmp(what, trials[i]))
            w->trial = trials[i];
    w->rejected += !strcmp(what, "bad");
    if (!strcmp(what, "row"))
        take_row(w, key, shape, line);
    if (!w->trial)
        return;
    snprintf(w->key, sizeof(w->key), "%s", key);
    snprintf(w->shape, sizeof(w->shape), "%s", shape);
    snprintf(w->candidate, sizeof(w->candidate), "%s", field(&line));
    if (w->terminal && w->trial == trials[WEIR_TUNE_BUILD]) // not while something is timed
        fprintf(stderr, "\r\033[K%d shapes tuned; %s: %s", w->tune->n_rows, shape, w->candidate);
}

// Reads what a worker says until it ends; false if it takes too long over something.
static bool follow(struct watch *w, int from)
{
    char text[4 * LINE];
    size_t n = 0;
    for (;;) {
        struct pollfd fd = {.fd = from, .events = POLLIN};
        int seconds = !w->trial ? PATIENCE : w->tune->limit ? w->tune->limit : LIMIT;
        int ready = poll(&fd, 1, 1000 * seconds);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t got = read(from, text + n, sizeof(text) - 1 - n);
        if (got <= 0)
            return true;
        n += (size_t)got;
        text[n] = 0;
        char *line = text;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            take_line(w, line);
        }
        n -= (size_t)(line - text);
        memmove(text, line, n);
        if (n == sizeof(text) - 1)
            return false; // no line of ours is so long
    }
}

// This process's environment behind n more entries. malloc'd, the array alone; NULL when out of memory.
static char **environment(char *const *more, size_t n_more)
{
    size_t n = 0;
    while (environ[n])
        n++;
    char **all = calloc(n_more + n + 1, sizeof(*all));
    if (!all)
        return NULL;
    memcpy(all, more, n_more * sizeof(*all)); // the first of a name is the one that is found
    memcpy(all + n_more, environ, n * sizeof(*all));
    return all;
}

static char *variable(const char *name, const char *value)
{
    struct weir_strbuf text = {0};
    weir_strbuf_printf(&text, "%s=%s", name, value ? value : "");
    return weir_strbuf_finish(&text);
}

// A pipe whose ends no other process gets, neither of them REPORT.
static bool make_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC))
        return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, REPORT + 1);
        close(low[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0)
        return true;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return false;
}

// Starts this program with these arguments and environment, and the writing end of a pipe as REPORT.
static bool spawn(char **args, char **env, pid_t *pid, int *out)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (!make_pipe(ends))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], REPORT);
    int failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, args, env);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        errno = failed;
        close(ends[0]);
    }
    *out = ends[0];
    return !failed;
}

static bool start(const struct weir_command *command, int argc, char **argv, const struct watch *w,
                  pid_t *pid, int *out)
{
    char self[24], program[] = "weir", *name = strdup(command->name);
    snprintf(self, sizeof(self), "%ld", (long)getpid());
    char *more[] = {variable("WEIR_TUNE_WORKER", self), variable("WEIR_TUNE_BAD", w->bad.s),
                    variable("WEIR_TUNE_DONE", w->done.s)};
    char **args = calloc((size_t)argc + 2, sizeof(*args)), **env = NULL;
    if (more[0] && more[1] && more[2])
        env = environment(more, WEIR_COUNT(more));
    bool started = false;
    errno = ENOMEM;
    if (args && env && name) {
        args[0] = program;
        args[1] = name;
        memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args));
        started = spawn(args, env, pid, out);
    }
    for (size_t i = 0; i < WEIR_COUNT(more); i++)
        free(more[i]);
    free(args);
    free(env);
    free(name);
    return started;
}

// The candidate that the worker died of, or hung at.
static void note_bad(struct watch *w, bool ended, int state)
{
    char why[120];
    if (!ended)
        snprintf(why, sizeof(why), "did not end within %d s", w->tune->limit ? w->tune->limit : LIMIT);
    else if (WIFSIGNALED(state))
        snprintf(why, sizeof(why), "crashed (%s)", strsignal(WTERMSIG(state)));
    else
        snprintf(why, sizeof(why), "ended the process");
    fprintf(stderr, "%stuning %s: %s %s while it was %s; it will not be tried again\n",
            w->terminal ? "\r\033[K" : "", w->shape, w->candidate, why, w->trial);
    weir_strbuf_printf(&w->bad, "%s %s\n", w->key, w->candidate);
    w->tune->bad++;
}

// One worker, to its end. True: another one is to go on.
static bool watch_one(struct watch *w, const struct weir_command *command, int argc, char **argv,
                      int *code)
{
    pid_t pid;
    int out, state = 0;
    w->trial = NULL;
    w->rejected = 0;
    if (!start(command, argc, argv, w, &pid, &out)) {
        fprintf(stderr, "weir %s: cannot start a process: %s\n", command->name, strerror(errno));
        *code = EXIT_FAILED;
        return false;
    }
    bool ended = follow(w, out);
    if (!ended)
        kill(pid, SIGKILL);
    close(out);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        continue;
    *code = WIFEXITED(state) ? WEXITSTATUS(state) : EXIT_FAILED;
    if (ended && *code == EXIT_OK)
        return false;
    if (w->trial)
        note_bad(w, ended, state);
    else if (!ended || WIFSIGNALED(state))
        fprintf(stderr, "weir %s: the process that tunes %s\n", command->name,
                ended ? "crashed" : "does not answer");
    return w->trial || w->rejected > 0; // else it was no candidate's fault
}

bool cli_tune_parse(const struct weir_command *command, const char *text, struct cli_tune *tune)
{
    static const char *const names[] = {
        [WEIR_TUNE_OFF] = "off", [WEIR_TUNE_CACHED] = "cached", [WEIR_TUNE_FULL] = "full"};
    *tune = (struct cli_tune){.mode = WEIR_TUNE_CACHED};
    for (int i = WEIR_TUNE_OFF; i <= WEIR_TUNE_FULL && text; i++)
        if (!strcmp(text, names[i])) {
            tune->mode = (enum weir_tune)i;
            return true;
        }
    if (text)
        fprintf(stderr, "weir %s: --tune %s: expected off, cached or full\n", command->name, text);
    return !text;
}

// Before anything is measured: what cannot be kept would be measured for nothing.
static bool can_keep(const struct weir_command *command)
{
    const struct weir_log log = cli_log(WEIR_LOG_ERROR);
    struct weir_strbuf text = {0};
    const char *dir = cli_cache_dir();
    if (!dir) {
        fprintf(stderr, "weir %s: there is no folder to keep what tuning finds in: neither $XDG_CACHE_HOME/weir nor "
                        "$HOME/.cache/weir can be made\n", command->name);
        return false;
    }
    weir_strbuf_printf(&text, "%s/tuning-trial-%ld", dir, (long)getpid());
    char *path = weir_strbuf_finish(&text);
    bool can = path && weir_file_write(&log, path, "", 1) == WEIR_OK;
    if (can)
        unlink(path);
    else
        fprintf(stderr, "weir %s: what tuning finds cannot be kept in %s\n", command->name, dir);
    free(path);
    return can;
}

int cli_tune_run(const struct weir_command *command, int argc, char **argv, struct cli_tune *tune)
{
    struct watch w = {.tune = tune, .terminal = isatty(STDERR_FILENO)};
    int code = EXIT_OK, workers = 0;
    if (tune->mode != WEIR_TUNE_FULL || cli_tune_is_worker())
        return EXIT_OK;
    if (!can_keep(command))
        return EXIT_FAILED;
    while (workers < MAX_WORKERS && watch_one(&w, command, argc, argv, &code))
        workers++;
    if (w.terminal)
        fprintf(stderr, "\r\033[K");
    if (workers == MAX_WORKERS)
        fprintf(stderr, "weir %s: %d processes were ended by candidates; there it stops\n", command->name, workers);
    weir_strbuf_free(&w.bad);
    weir_strbuf_free(&w.done);
    tune->mode = WEIR_TUNE_CACHED;
    return code;
}

void cli_tune_finish(struct cli_tune *tune)
{
    free(tune->rows);
    tune->rows = NULL;
    tune->n_rows = 0;
}
