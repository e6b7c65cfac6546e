// SPDX-License-Identifier: Apache-2.0
// Flow matching on two moons with an MLP: prints samples. usage: moons [DEVICE=host [STEPS=1000]]
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

enum { BATCH = 256, EULER = 50, ROWS = 16 };
static struct weir_params *w;
static struct weir_model_config config = { .item = { 1, { 2 } }, .width = 64, .depth = 3 };

static weir_value *net(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct weir_nn nn = { w, weir_value_graph(x), false };
    return weir_model_mlp.build(&nn, &config, x, t, label);
}

static weir_value *train_step(weir_graph *g, weir_value *data, weir_value *step)
{
    weir_value *seed = weir_constant(g, WEIR_U32, weir_shape(2), (uint32_t[]) { 7, 0 });
    struct weir_random random = { seed, step, weir_u32(g, 0) };
    struct weir_net mlp = { net };
    weir_value *loss = weir_objective_cfm.loss(&weir_objective_defaults, &mlp, &random, data, NULL);
    weir_value *p[ROWS], *grad[ROWS], *new_p, *new_slot, *rate = weir_f32(g, 0.02);
    const int n = weir_params_count(w);
    for (int i = 0; i < n; i++)
        p[i] = weir_state_value(g, weir_params_row(w, i)->state);
    weir_grad(loss, p, grad, n);
    for (int i = 0; i < n; i++) { // gradient descent with momentum
        struct weir_param *row = weir_params_row(w, i);
        weir_value *slot = weir_state_value(g, row->slot[0]);
        weir_optimizer_sgd.update(&weir_optimizer_sgd.defaults, p[i], grad[i], &slot, &rate, false,
                                  &new_p, &new_slot);
        weir_assign(row->state, new_p);
        weir_assign(row->slot[0], new_slot);
    }
    return loss;
}

int main(int argc, char **argv)
{
    weir_device *dev = NULL;
    struct weir_dataset *moons = NULL;
    weir_graph *g = NULL, *s = NULL;
    weir_program *train = NULL, *draw = NULL;
    float batch[BATCH][2], loss, x[10][2];
    uint32_t steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000;
    struct weir_device_params where = { .selector = argc > 1 ? argv[1] : "host" };
    if (weir_device_open(&where, &dev) || weir_model_mlp.configure(&config) ||
        weir_graph_create(NULL, &g) || weir_graph_create(NULL, &s) ||
        weir_dataset_open(NULL, &(struct weir_dataset_params) { .name = "moons" }, &moons) ||
        weir_params_create(NULL, &w) || weir_model_declare(&weir_model_mlp, &config, NULL, w) ||
        weir_params_count(w) > ROWS || weir_params_allocate(w, dev, 1, false, 1))
        return 1;
    weir_value *data = weir_input(g, WEIR_F32, weir_shape(BATCH, 2), "data");
    weir_value *step = weir_input(g, WEIR_U32, weir_scalar_shape, "step");
    weir_value *out = train_step(g, data, step);
    if (weir_compile(dev, &out, 1, NULL, &train))
        return 1;
    for (uint32_t i = 0; i < steps; i++) {
        for (int k = 0; k < BATCH; k++)
            moons->get(moons, (int64_t)i * BATCH + k, batch[k], &(int32_t) { 0 });
        struct weir_binding b[] = { { data, batch }, { step, &i } };
        if (weir_run(train, b, 2) || weir_read(train, 0, &loss))
            return 1;
        if (i % 200 == 199)
            printf("step %u  loss %.4f\n", i + 1, (double)loss);
    }
    weir_value *seed = weir_constant(s, WEIR_U32, weir_shape(2), (uint32_t[]) { 7, 0 });
    weir_value *o = weir_u32(s, 0), *y = weir_random_normal(seed, o, o, weir_shape(10, 2), "y");
    for (int i = 0; i < EULER; i++) { // y += velocity / EULER
        weir_value *t = weir_broadcast(weir_f32(s, (double)i / EULER), weir_shape(10));
        y = weir_add(y, weir_mul_c(net(NULL, y, t, NULL), 1.0 / EULER));
    }
    if (weir_compile(dev, &y, 1, NULL, &draw) || weir_run(draw, NULL, 0) || weir_read(draw, 0, x))
        return 1;
    for (int i = 0; i < 10; i++)
        printf("%8.4f %8.4f\n", (double)x[i][0], (double)x[i][1]);
    return 0;
}
