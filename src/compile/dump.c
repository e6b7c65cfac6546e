// SPDX-License-Identifier: Apache-2.0
// What each pass decided, as text files in a folder: values, schedule, plan, kernels.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "compile/compile.h"

static void write_text(const struct weir_emit_state *c, const char *what, const struct weir_strbuf *text)
{
    char path[4096];
    const char *label = c->params->label ? c->params->label : "program";
    snprintf(path, sizeof(path), "%s/%s.%s", c->params->dump_dir, label, what);
    FILE *f = fopen(path, "w");
    bool ok = f && (text->n == 0 || fwrite(text->s, 1, text->n, f) == text->n);
    if ((f && fclose(f) != 0) || !ok)
        weir_logf(&c->log, WEIR_LOG_WARN, "cannot write %s: %s", path, strerror(errno));
}

static void describe_loops(const struct weir_emit_state *c, int launch, struct weir_strbuf *out)
{
    for (int k = 0; k < c->n_loops; k++)
        if (c->loops[k].first == launch && c->loops[k].end > launch)
            weir_strbuf_printf(out, "      loop %d, %lld iterations, launches %d .. %d\n", k,
                               (long long)c->loops[k].n, launch, c->loops[k].end - 1);
}

static void describe_launches(const struct weir_emit_state *c, struct weir_strbuf *out)
{
    for (int i = 0; i < c->n_launches; i++) {
        const struct weir_planned *l = &c->launches[i];
        describe_loops(c, i, out);
        const struct weir_batch *b = l->batch ? &c->batches[l->batch - 1] : NULL;
        bool merged = b && b->kernel;
        if (merged && b->first == i)
            weir_strbuf_printf(out, "%5d %s <%zu %zu %zu> / <%zu %zu %zu>\n", i, b->kernel, b->groups * b->local[0],
                               b->local[1], b->local[2], b->local[0], b->local[1], b->local[2]);
        weir_strbuf_printf(out, "%5d %s%s", i, l->kernel ? l->kernel : l->label,
                           l->dropped ? " (written in place)" : merged ? " (merged)" : "");
        if (l->kernel)
            weir_strbuf_printf(out, " <%zu %zu %zu>", l->global[0], l->global[1], l->global[2]);
        if (l->kernel && l->local[0]) // else groups are the driver's choice
            weir_strbuf_printf(out, " / <%zu %zu %zu>", l->local[0], l->local[1], l->local[2]);
        for (int a = 0; a < l->n_args; a++)
            weir_strbuf_printf(out, " s%d+%lld", l->args[a].slot, (long long)l->args[a].offset);
        weir_strbuf_puts(out, "\n");
    }
}

void weir_dump(const struct weir_emit_state *c)
{
    struct weir_strbuf launches = { 0 };
    if (mkdir(c->params->dump_dir, 0777) != 0 && errno != EEXIST)
        weir_logf(&c->log, WEIR_LOG_WARN, "cannot make %s: %s", c->params->dump_dir, strerror(errno));
    describe_launches(c, &launches);
    write_text(c, "values.txt", &c->dump_values);
    if (c->dump_bodies.n > 0)
        write_text(c, "bodies.txt", &c->dump_bodies);
    if (c->dump_recompute.n > 0)
        write_text(c, "recompute.txt", &c->dump_recompute);
    write_text(c, "schedule.txt", &c->dump_schedule);
    if (c->dump_choices.n > 0)
        write_text(c, "choices.txt", &c->dump_choices);
    if (c->dump_merge.n > 0)
        write_text(c, "merge.txt", &c->dump_merge);
    write_text(c, "launches.txt", &launches);
    write_text(c, "plan.txt", &c->dump_plan);
    if (c->text.n > 0)
        write_text(c, "kernels.cl", &c->text);
    weir_strbuf_free(&launches);
}
