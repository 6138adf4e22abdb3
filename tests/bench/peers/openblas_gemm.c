/* OpenBLAS's cblas_sgemm: reads lines "M N K TA TB", prints the milliseconds of one
 * product for each, (as many in a row as take 100 ms) / their number. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

/* The second measurement of a pair counts: the first warms up. */
static double measure(const problem *p)
{
    long repetitions = 1;
    double ms = round_ms(p, 1);
    while (ms * (double)repetitions < 100) {
        repetitions = ms > 0 ? (long)(120 / ms) + 1 : 2 * repetitions;
        ms = round_ms(p, repetitions);
    }
    return round_ms(p, repetitions);
}

int main(void)
{
    problem p;
    while (scanf("%d %d %d %d %d", &p.m, &p.n, &p.k, &p.ta, &p.tb) == 5) {
        p.a = random_matrix((size_t)p.m * (size_t)p.k);
        p.b = random_matrix((size_t)p.k * (size_t)p.n);
        p.c = random_matrix((size_t)p.m * (size_t)p.n);
        if (!p.a || !p.b || !p.c)
            return 1;
        printf("%.6f\n", measure(&p));
        fflush(stdout);
        free(p.a);
        free(p.b);
        free(p.c);
    }
    return 0;
}
