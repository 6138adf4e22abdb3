/* OpenBLAS's cblas_sgemm with the timing of host/cli/bench_gemm.c:
 * openblas_gemm M N K [TA TB] prints {"ms": …, "ms_p10": …, "gflops": …}. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 25, THREADS = 2 };

typedef struct problem {
    int m, n, k, ta, tb;
    float *a, *b, *c;
} problem;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *random_matrix(size_t count)
{
    float *values = calloc(count, sizeof *values);
    unsigned state = 1;
    for (size_t i = 0; values && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int)state * 0x1p-31f;
    }
    return values;
}

static double round_ms(const problem *p, long repetitions)
{
    double start = now_ms();
    for (long i = 0; i < repetitions; i++)
        cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans,
                    p->tb ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1, p->a,
                    p->ta ? p->m : p->k, p->b, p->tb ? p->k : p->n, 0, p->c, p->n);
    return (now_ms() - start) / (double)repetitions;
}

static long warm(const problem *p)
{
    double start = now_ms(), ms;
    long batch = 1;
    do
        ms = round_ms(p, 1);
    while (now_ms() - start < 200);
    for (; ms * (double)batch < 20; batch *= 2)
        ms = round_ms(p, batch);
    return batch;
}

int main(int count, char **words)
{
    problem p = {0};
    if (count < 4)
        return 2;
    p.m = atoi(words[1]), p.n = atoi(words[2]), p.k = atoi(words[3]);
    p.ta = count > 4 && atoi(words[4]), p.tb = count > 5 && atoi(words[5]);
    p.a = random_matrix((size_t)p.m * p.k);
    p.b = random_matrix((size_t)p.n * p.k);
    p.c = random_matrix((size_t)p.m * p.n);
    if (!p.a || !p.b || !p.c)
        return 1;
    openblas_set_num_threads(THREADS);
    double rounds[ROUNDS];
    long repetitions = warm(&p);
    for (int i = 0; i < ROUNDS; i++)
        rounds[i] = round_ms(&p, repetitions);
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    double ms = rounds[ROUNDS / 2];
    printf("{\"ms\": %.6f, \"ms_p10\": %.6f, \"gflops\": %.3f}\n", ms,
           rounds[ROUNDS / 10], 2e-6 * p.m * p.n * p.k / ms);
    free(p.a);
    free(p.b);
    free(p.c);
    return 0;
}
