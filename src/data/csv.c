// SPDX-License-Identifier: Apache-2.0
// Rows go out in one write call each, so a killed run leaves whole lines but for the last.
#include "data/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strbuf.h"

struct weir_csv {
    const struct weir_log *log;
    char *path;
    int fd, n;
};

static enum weir_status write_line(weir_csv *csv, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(csv->fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weir_fail(csv->log, WEIR_IO, "cannot write '%s': %s", csv->path,
                             strerror(errno));
        text += n;
        size -= (size_t)n;
    }
    return WEIR_OK;
}

static enum weir_status header_of(const struct weir_log *log, const char *const *columns, int n,
                                  struct weir_strbuf *out)
{
    weir_strbuf_puts(out, "step");
    for (int i = 0; i < n; i++)
        weir_strbuf_printf(out, ",%s", columns[i]);
    weir_strbuf_puts(out, "\n");
    return out->failed ? weir_fail(log, WEIR_NOMEM, "out of memory: CSV columns") : WEIR_OK;
}

// How many bytes of the old file stay: its header and its rows up to last_step.
static enum weir_status keep_length(const struct weir_log *log, const char *path, const char *text,
                                    size_t size, const struct weir_strbuf *header,
                                    int64_t last_step, size_t *keep)
{
    if (size < header->n || memcmp(text, header->s, header->n))
        return weir_fail(log, WEIR_FORMAT, "%s: the columns are '%.*s', expected '%.*s'", path,
                         (int)strcspn(text, "\r\n"), text, (int)header->n - 1, header->s);
    size_t at = header->n;
    while (at < size) {
        const char *newline = memchr(text + at, '\n', size - at);
        char *comma;
        long long step = strtoll(text + at, &comma, 10);
        if (!newline || text[at] < '0' || text[at] > '9' || (*comma != ',' && *comma != '\n') ||
            step > last_step)
            break;
        at = (size_t)(newline - text) + 1;
    }
    *keep = at;
    return WEIR_OK;
}

// The file as it is to be before the first new row.
static enum weir_status prepare(const struct weir_log *log, const char *path,
                                const struct weir_strbuf *header, int64_t last_step)
{
    if (last_step < 0 || !weir_file_exists(path))
        return weir_file_write(log, path, header->s, header->n);
    char *text = NULL;
    size_t size = 0, keep = 0;
    enum weir_status status = weir_file_read(log, path, &text, &size);
    if (!status)
        status = keep_length(log, path, text, size, header, last_step, &keep);
    if (!status && keep < size)
        status = weir_file_write(log, path, text, keep);
    free(text);
    return status;
}

enum weir_status weir_csv_open(const struct weir_log *log, const char *path,
                               const char *const *columns, int n, int64_t last_step, weir_csv **csv)
{
    struct weir_strbuf header = {0};
    weir_csv *out = calloc(1, sizeof(*out));
    enum weir_status status;
    if (!out || !(out->path = strdup(path))) {
        free(out);
        return weir_fail(log, WEIR_NOMEM, "out of memory: '%s'", path);
    }
    out->log = log;
    out->n = n;
    out->fd = -1;
    status = header_of(log, columns, n, &header);
    if (!status)
        status = prepare(log, path, &header, last_step);
    weir_strbuf_free(&header);
    if (!status && (out->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
        status = weir_fail(log, WEIR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (status) {
        weir_csv_close(&out);
        return status;
    }
    *csv = out;
    return WEIR_OK;
}

enum weir_status weir_csv_row(weir_csv *csv, int64_t step, const double *values)
{
    struct weir_strbuf row = {0};
    weir_strbuf_printf(&row, "%" PRId64, step);
    for (int i = 0; i < csv->n; i++) {
        weir_strbuf_puts(&row, ",");
        if (!isnan(values[i]))
            weir_strbuf_printf(&row, "%.9g", values[i]);
    }
    weir_strbuf_puts(&row, "\n");
    enum weir_status status = row.failed
                                  ? weir_fail(csv->log, WEIR_NOMEM, "out of memory: a CSV row")
                                  : write_line(csv, row.s, row.n);
    weir_strbuf_free(&row);
    return status;
}

void weir_csv_close(weir_csv **csv)
{
    if (!csv || !*csv)
        return;
    if ((*csv)->fd >= 0)
        close((*csv)->fd);
    free((*csv)->path);
    free(*csv);
    *csv = NULL;
}
