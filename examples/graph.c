// SPDX-License-Identifier: Apache-2.0
// A graph of five lines with its gradient: y = sum(tanh(x)²), dy/dx.
#include <stdio.h>
#include <weir/weir.h>

static void print(void *cookie, enum weir_log_level level, const char *message)
{
    fprintf(stderr, "%s\n", message);
}

int main(int argc, char **argv)
{
    struct weir_log log = { print, NULL, WEIR_LOG_WARN };
    weir_device *dev = NULL;
    weir_graph *g = NULL;
    weir_program *program = NULL;
    const float x[4] = { -1, 0, .5f, 2 };
    float sum = 0, dx[4] = { 0 };

    enum weir_status status = weir_device_open(
        &(struct weir_device_params) { .selector = argc > 1 ? argv[1] : "host", .log = log }, &dev);
    if (!status)
        status = weir_graph_create(&log, &g);
    if (status)
        goto error;

    weir_value *in = weir_input(g, WEIR_F32, weir_shape(4), "x");
    weir_value *out[2] = { weir_sum(weir_square(weir_tanh(in)), weir_all_axes, false) };
    weir_grad(out[0], &in, &out[1], 1);
    status = weir_compile(dev, out, 2, NULL, &program);
    if (!status)
        status = weir_run(program, &(struct weir_binding) { in, x }, 1);
    if (!status)
        status = weir_read(program, 0, &sum);
    if (!status)
        status = weir_read(program, 1, dx);
    if (!status)
        printf("%s: y = %.9g, dy/dx = %.9g %.9g %.9g %.9g\n", weir_device_info(dev)->name, sum,
               dx[0], dx[1], dx[2], dx[3]);
error:
    weir_program_destroy(&program);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
    return status ? 1 : 0;
}
