// SPDX-License-Identifier: Apache-2.0
// One graph on every device, bits compared with the host: softmax(tanh(x·w) + sin(x·w)).
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

enum { M = 64, K = 700, N = 48 };

static enum weir_status compute(const char *selector, float *dst)
{
    static float x[M * K], w[K * N];
    weir_device *dev = NULL;
    weir_graph *g = NULL;
    weir_program *program = NULL;
    for (int i = 0; i < M * K; i++)
        x[i] = (float)((i * 2654435761u) >> 8) * 0x1p-24f - .5f;
    for (int i = 0; i < K * N; i++)
        w[i] = (float)((i * 2246822519u) >> 8) * 0x1p-24f - .5f;
    enum weir_status status =
        weir_device_open(&(struct weir_device_params) { .selector = selector }, &dev);
    if (!status)
        status = weir_graph_create(NULL, &g);
    if (!status) {
        weir_value *a = weir_input(g, WEIR_F32, weir_shape(M, K), "x"),
                   *b = weir_input(g, WEIR_F32, weir_shape(K, N), "w");
        weir_value *y = weir_matmul(a, b, false, false);
        y = weir_softmax(weir_add(weir_tanh(y), weir_sin(y)), -1);
        status = weir_compile(dev, &y, 1, NULL, &program);
        if (!status)
            status = weir_run(program, (struct weir_binding[]) { { a, x }, { b, w } }, 2);
    }
    if (!status)
        status = weir_read(program, 0, dst);
    weir_program_destroy(&program);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
    return status;
}

int main(void)
{
    static float want[M * N], got[M * N];
    struct weir_device_info info[16];
    int n = weir_device_list(&(struct weir_device_params) { 0 }, info, 16), bad = 0;
    if (compute("host", want))
        return 1;
    for (int i = 1; i < n && i < 16; i++) {
        char selector[32];
        snprintf(selector, sizeof(selector), "opencl:%d", i - 1);
        enum weir_status status = compute(selector, got);
        bool same = !status && !memcmp(want, got, sizeof(want));
        printf("%-48s %s\n", info[i].name,
               status ? weir_status_text(status)
               : same ? "the host's bits"
                      : "OTHER BITS");
        bad += !same;
    }
    printf("%d OpenCL devices compared with the host, %d differ\n", n - 1, bad);
    return bad ? 1 : 0;
}
