// SPDX-License-Identifier: Apache-2.0
// Workers that tune, and who watches them (tune.h). A worker writes a line to file 3 for each
// event: "try", "bad" or "row", tab, the key, the shape, and the candidate or the row. What must
// not be tried again comes to it in WEIR_TUNE_BAD. WEIR_TUNE_FAIL=hang:N or crash:N makes the first
// worker fail at its N-th candidate, for tests.
#include "tune.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

enum { REPORT = 3, LIMIT = 60, PATIENCE = 600, MAX_WORKERS = 100, LINE = 1024 };

extern char **environ;

// --- the worker ---

static FILE *report;
static int tries;

bool cli_tune_is_worker(void)
{
    return getenv("WEIR_TUNE_WORKER") != NULL;
}

static void fail_if_asked(void)
{
    const char *how = getenv("WEIR_TUNE_FAIL"), *at = how ? strchr(how, ':') : NULL;
    const char *bad = getenv("WEIR_TUNE_BAD");
    if (!at || (bad && *bad) || tries != atoi(at + 1))
        return;
    while (!strncmp(how, "hang", 4))
        pause();
    raise(SIGKILL); // a driver may catch others
}

static void on_event(void *cookie, const struct weir_tune_event *e)
{
    static const char *const what[] = {
        [WEIR_TUNE_TRY] = "try", [WEIR_TUNE_REJECTED] = "bad", [WEIR_TUNE_DONE] = "row"};
    fprintf(report, "%s\t%016" PRIx64 "\t%s\t", what[e->what], e->key, e->shape);
    if (e->what == WEIR_TUNE_DONE)
        fprintf(report, "%s\t%s\t%a\t%a\t%d\n", e->row.model, e->row.choice, e->row.model_s,
                e->row.s, e->row.tried);
    else
        fprintf(report, "%s\n", e->candidate);
    fflush(report);
    tries += e->what == WEIR_TUNE_TRY;
    if (e->what == WEIR_TUNE_TRY)
        fail_if_asked();
}

void cli_tune_attach(weir_device *dev, const struct weir_tuner *how)
{
    static struct weir_tuner tuner;
    struct weir_tuning *t = weir_tuning_of(dev);
    const char *bad = getenv("WEIR_TUNE_BAD");
    report = fdopen(REPORT, "w");
    if (!report || !t)
        return;
    if (how)
        tuner = *how;
    tuner.event = on_event;
    t->tuner = &tuner;
    dev->tune = WEIR_TUNE_FULL;
    for (char candidate[LINE]; bad && *bad; bad += strcspn(bad, "\n"), bad += *bad == '\n') {
        uint64_t key;
        if (sscanf(bad, "%" SCNx64 " %1023[^\n]", &key, candidate) == 2)
            weir_tuning_mark_bad(dev, key, candidate);
    }
}

enum weir_status cli_tune_open(const struct weir_log *log, const char *selector,
                               const struct cli_tune *tune, weir_device **dev)
{
    enum weir_status status = cli_open_device(log, selector, dev);
    if (status)
        return status;
    (*dev)->tune = tune->mode;
    if (cli_tune_is_worker())
        cli_tune_attach(*dev, NULL);
    return WEIR_OK;
}

// --- who watches ---

struct watch {
    struct cli_tune *tune;
    struct weir_strbuf bad; // for WEIR_TUNE_BAD
    bool trying, terminal;
    int rejected;                             // by this worker
    char key[17], shape[96], candidate[LINE]; // being tried
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
    w->trying = !strcmp(what, "try");
    w->rejected += !strcmp(what, "bad");
    if (!strcmp(what, "row"))
        take_row(w, key, shape, line);
    if (!w->trying)
        return;
    snprintf(w->key, sizeof(w->key), "%s", key);
    snprintf(w->shape, sizeof(w->shape), "%s", shape);
    snprintf(w->candidate, sizeof(w->candidate), "%s", field(&line));
    if (w->terminal)
        fprintf(stderr, "\r\033[K%d shapes tuned; %s: %s", w->tune->n_rows, shape, w->candidate);
}

// Reads what a worker says until it ends; false if it takes too long over something.
static bool follow(struct watch *w, int from)
{
    char text[4 * LINE];
    size_t n = 0;
    for (;;) {
        struct pollfd fd = {.fd = from, .events = POLLIN};
        int seconds = !w->trying ? PATIENCE : w->tune->limit ? w->tune->limit : LIMIT;
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

// This process's environment and two more. malloc'd, the array alone; NULL when out of memory.
static char **environment(char *one, char *two)
{
    size_t n = 0;
    while (environ[n])
        n++;
    char **all = calloc(n + 3, sizeof(*all));
    if (!all)
        return NULL;
    all[0] = one; // the first of a name is the one that is found
    all[1] = two;
    memcpy(all + 2, environ, n * sizeof(*all));
    return all;
}

static bool start(const struct weir_command *command, int argc, char **argv, const char *bad,
                  pid_t *pid, int *out)
{
    struct weir_strbuf text = {0};
    char worker[] = "WEIR_TUNE_WORKER=1";
    int ends[2], failed = 1;
    char **args = calloc((size_t)argc + 2, sizeof(*args));
    weir_strbuf_printf(&text, "WEIR_TUNE_BAD=%s", bad ? bad : "");
    char *listed = weir_strbuf_finish(&text), **all = listed ? environment(worker, listed) : NULL;
    if (args && all && pipe(ends) == 0) {
        char program[] = "weir", *name = strdup(command->name);
        args[0] = program;
        args[1] = name;
        memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args));
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], REPORT);
        if (ends[0] != REPORT)
            posix_spawn_file_actions_addclose(&actions, ends[0]);
        if (ends[1] != REPORT)
            posix_spawn_file_actions_addclose(&actions, ends[1]);
        failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, args, all);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        if (failed)
            close(ends[0]);
        *out = ends[0];
        free(name);
    }
    free(args);
    free(all);
    free(listed);
    return !failed;
}

// The candidate that the worker died of, or hung at.
static void note_bad(struct watch *w, bool ended, int state)
{
    char why[80];
    if (!ended)
        snprintf(why, sizeof(why), "did not end within %d s",
                 w->tune->limit ? w->tune->limit : LIMIT);
    else if (WIFSIGNALED(state))
        snprintf(why, sizeof(why), "crashed (%s)", strsignal(WTERMSIG(state)));
    else
        snprintf(why, sizeof(why), "ended the process");
    fprintf(stderr, "%stuning %s: %s %s; it will not be tried again\n",
            w->terminal ? "\r\033[K" : "", w->shape, w->candidate, why);
    weir_strbuf_printf(&w->bad, "%s %s\n", w->key, w->candidate);
    w->tune->bad++;
}

// One worker, to its end. True: another one is to go on.
static bool watch_one(struct watch *w, const struct weir_command *command, int argc, char **argv,
                      int *code)
{
    pid_t pid;
    int out, state = 0;
    w->trying = false;
    w->rejected = 0;
    if (!start(command, argc, argv, w->bad.s, &pid, &out)) {
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
    if (w->trying)
        note_bad(w, ended, state);
    else if (!ended || WIFSIGNALED(state))
        fprintf(stderr, "weir %s: the process that tunes %s\n", command->name,
                ended ? "crashed" : "does not answer");
    return w->trying || w->rejected > 0; // else it was no candidate's fault
}

bool cli_tune_parse(const struct weir_command *command, const char *text, struct cli_tune *tune)
{
    static const char *const names[] = {
        [WEIR_TUNE_OFF] = "off", [WEIR_TUNE_CACHED] = "cached", [WEIR_TUNE_FULL] = "full"};
    *tune = (struct cli_tune){.mode = WEIR_TUNE_CACHED};
    for (int i = WEIR_TUNE_CACHED; i <= WEIR_TUNE_FULL && text; i++)
        if (!strcmp(text, names[i])) {
            tune->mode = (enum weir_tune)i;
            return true;
        }
    if (text)
        fprintf(stderr, "weir %s: --tune %s: expected off, cached or full\n", command->name, text);
    return !text;
}

int cli_tune_run(const struct weir_command *command, int argc, char **argv, struct cli_tune *tune)
{
    struct watch w = {.tune = tune, .terminal = isatty(STDERR_FILENO)};
    int code = EXIT_OK;
    if (tune->mode != WEIR_TUNE_FULL || cli_tune_is_worker())
        return EXIT_OK;
    for (int i = 0; i < MAX_WORKERS && watch_one(&w, command, argc, argv, &code); i++)
        continue;
    if (w.terminal)
        fprintf(stderr, "\r\033[K");
    weir_strbuf_free(&w.bad);
    tune->mode = WEIR_TUNE_CACHED;
    return code;
}

void cli_tune_finish(struct cli_tune *tune)
{
    free(tune->rows);
    tune->rows = NULL;
    tune->n_rows = 0;
}
