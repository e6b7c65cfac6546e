// SPDX-License-Identifier: Apache-2.0
// weir recipes, weir list: what comes with Weir.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "commands.h"
#include "weir/data.h"

static enum weir_status list_recipes(const struct weir_log *log)
{
    weir_arena *arena = weir_arena_create();
    char **names = NULL;
    size_t n = 0;
    enum weir_status status = weir_dir_list(log, cli_recipe_dir(), arena, &names, &n);
    for (size_t i = 0; i < n && !status; i++) {
        size_t length = strlen(names[i]);
        if (length > 5 && !strcmp(names[i] + length - 5, ".json"))
            printf("%.*s\n", (int)(length - 5), names[i]);
    }
    weir_arena_destroy(&arena);
    return status;
}

static int run_recipes(int argc, char **argv)
{
    const char *words[1];
    int n_words;
    bool keys = false;
    const struct cli_option options[] = { { "keys", .flag = &keys } };
    if (!cli_parse(&weir_command_recipes, argc, argv, options, 1, words, 1, &n_words))
        return EXIT_USAGE;
    struct weir_log log = cli_log(WEIR_LOG_INFO);
    if (!keys && !n_words)
        return cli_exit_code(list_recipes(&log));
    struct weir_strbuf text = { 0 };
    struct weir_recipe recipe;
    enum weir_status status = WEIR_OK;
    if (keys)
        weir_recipe_keys_markdown(&text);
    else
        status = cli_load_recipe(&log, words[0], &recipe);
    if (!status && !keys)
        status = weir_recipe_text(&recipe, &text);
    if (!status)
        printf("%s", text.s);
    weir_strbuf_free(&text);
    return cli_exit_code(status);
}

const struct weir_command weir_command_recipes = {
    .name = "recipes",
    .args = "[NAME] [--keys]",
    .desc = "list the recipes, or print one complete",
    .help = "  NAME     print this recipe with every key, to copy\n"
            "  --keys   every key with its type, default and meaning, as a Markdown table\n",
    .run = run_recipes,
};

static int run_list(int argc, char **argv)
{
    static const char *const kinds[] = { "models",     "objectives", "solvers",
                                         "optimizers", "data",       NULL };
    const char *words[1];
    int n_words;
    if (!cli_parse(&weir_command_list, argc, argv, NULL, 0, words, 1, &n_words))
        return EXIT_USAGE;
    const char *kind = n_words ? words[0] : "";
#define ROWS(word, rows)                                              \
    if (!strcmp(kind, word)) {                                        \
        for (int i = 0; rows[i]; i++)                                 \
            printf("%-14s %s\n", rows[i]->name, rows[i]->desc);       \
        return EXIT_OK;                                               \
    }
    ROWS("models", weir_models)
    ROWS("objectives", weir_objectives)
    ROWS("solvers", weir_solvers)
    ROWS("optimizers", weir_optimizers)
    ROWS("data", weir_dataset_kinds)
    fprintf(stderr, "weir list: one of");
    for (int i = 0; kinds[i]; i++)
        fprintf(stderr, " %s", kinds[i]);
    fprintf(stderr, "\n");
    return EXIT_USAGE;
}

const struct weir_command weir_command_list = {
    .name = "list",
    .args = "models|objectives|solvers|...",
    .desc = "what a recipe can name: also optimizers, data",
    .help = "  models, objectives, solvers, optimizers, data\n",
    .run = run_list,
};
