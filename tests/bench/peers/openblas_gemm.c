/* OpenBLAS's cblas_sgemm: says which, then reads lines "M N K TA TB", prints the milliseconds of one
 * product for each, as falign times itself: a warm-up of 0.2 s, then the median over
 * rounds of as many products as take 20 ms. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9 };

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

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double measure(const problem *p)
{
    double end = now_ms() + 200, ms, rounds[ROUNDS];
    long repetitions = 1;
    do
        ms = round_ms(p, 1);
    while (now_ms() < end);
    for (; ms * (double)repetitions < 20; repetitions *= 2)
        ms = round_ms(p, repetitions);
    for (int i = 0; i < ROUNDS; i++)
        rounds[i] = round_ms(p, repetitions);
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    return rounds[ROUNDS / 2];
}

int main(void)
{
    problem p;
    printf("{\"openblas\": \"%s\"}\n", openblas_get_config());
    fflush(stdout);
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
