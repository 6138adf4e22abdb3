/* Newton–Schulz in steps of independent products: a step is one launch for all
 * matrices, whatever their shapes and forms. With s = 1/(‖U‖ + 1e-7), X of the
 * smaller side n, stored or transposed, and p(A) = aI + bA + cA², turn by turn:
 *
 *             plain form            Gram form
 *    3t       A <- X Xᵀ             A <- X Xᵀ at first, then P H
 *    3t + 1   P <- p(A)             P <- p(A)
 *    3t + 2   X <- P X              H <- P A, Q <- P Q (Q is P at first)
 *    3t + 3                         at last: X <- Q X
 *
 * The first XXᵀ takes the factor s², the first new X the factor s. All but X are
 * polynomials of one symmetric matrix, so half of each product is enough.
 *
 * The Gram form costs (6r + 14)·n³ operations where the plain one costs
 * (15r + 5)·n³, r the longer side over the shorter, and more of them go by halves,
 * which is dearer; it is taken from r = 5/4 on. Small singular values of X lie
 * below the rounding of A, and what rounding puts there grows by a² = 12 a turn; so
 * the Gram form begins anew after two turns, which makes it as exact as the plain
 * one (without that it is off by 3e-3 where one singular value is 10⁴ times the
 * others). */
#include "ops/newton_schulz.h"
#include "device/memory.h"
#include "ops/clip.h"
#include "ops/gemm.h"
#include "ops/grid.h"

enum { TURNS = 5, EARLY_TURNS = 2, SCALES = 16 };
enum { EARLY_STEPS = 3 * EARLY_TURNS + 1 };
enum { STEPS = EARLY_STEPS + 3 * (TURNS - EARLY_TURNS) + 1 };
static const float A = 3.4445f, B = -4.7750f, C = 2.0315f;

/* Matrices in the room, behind the two scales; P and Q take turns in the last ones */
enum { GRAM = 0, POWER = 1, POLYNOMIAL = 2, PLAIN_MATRICES = 3, GRAM_MATRICES = 5 };

static size_t side(const fal_newton_schulz *m)
{
    return m->rows < m->columns ? m->rows : m->columns;
}

static size_t length(const fal_newton_schulz *m)
{
    return m->rows < m->columns ? m->columns : m->rows;
}

static int is_gram(const fal_newton_schulz *m)
{
    return length(m) * 4 >= side(m) * 5;
}

/* Rows of the symmetric matrices begin at odd multiples of 64 bytes, so that those of
 * a column, which are stored together, do not share a set of the cache. */
static size_t pitch(const fal_newton_schulz *m)
{
    return ((side(m) + 15) / 16 | 1) * 16;
}

size_t fal_newton_schulz_room(size_t rows, size_t columns)
{
    const fal_newton_schulz m = {.rows = rows, .columns = columns};
    size_t matrices = is_gram(&m) ? GRAM_MATRICES : PLAIN_MATRICES;
    return SCALES + matrices * side(&m) * pitch(&m);
}

fal_view fal_newton_schulz_result(const fal_newton_schulz *m)
{
    return is_gram(m) ? m->x : m->spare;
}

/* ---- products ------------------------------------------------------------ */

static fal_view scale(const fal_newton_schulz *m, int power)
{
    return (fal_view){m->room.buffer, m->room.offset + (uint64_t)power - 1};
}

static fal_operand matrix(const fal_newton_schulz *m, size_t number)
{
    uint64_t at = SCALES + number * side(m) * pitch(m);
    return (fal_operand){
        FAL_SOURCE_ROWS, {m->room.buffer, m->room.offset + at}, pitch(m)};
}

/* C <- L R, all symmetric */
static fal_product small(const fal_newton_schulz *m, size_t c, size_t l, size_t r)
{
    return (fal_product){.m = side(m),
                         .n = side(m),
                         .k = side(m),
                         .a = matrix(m, l),
                         .b = matrix(m, r),
                         .c = matrix(m, c).data,
                         .pitch = pitch(m),
                         .symmetric = 1,
                         .layer = m->layer};
}

/* C <- x xᵀ, or xᵀ x where x is stored tall */
static fal_product gram(const fal_newton_schulz *m, fal_view x)
{
    fal_product p = small(m, GRAM, GRAM, GRAM);
    int is_tall = m->rows > m->columns;
    p.k = length(m);
    p.a = (fal_operand){is_tall ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS, x,
                        m->columns};
    p.b = (fal_operand){is_tall ? FAL_SOURCE_ROWS : FAL_SOURCE_COLUMNS, x,
                        m->columns};
    return p;
}

static fal_product polynomial(const fal_newton_schulz *m, size_t c)
{
    fal_product p = small(m, c, GRAM, GRAM);
    p.other = matrix(m, GRAM).data;
    p.alpha = C, p.beta = B, p.identity = A;
    return p;
}

/* to <- matrix number `by` times from, or from times it */
static fal_product whole(const fal_newton_schulz *m, size_t by, fal_view from,
                         fal_view to)
{
    const fal_operand symmetric = matrix(m, by);
    const fal_operand x = {FAL_SOURCE_ROWS, from, m->columns};
    int is_tall = m->rows > m->columns;
    return (fal_product){.m = m->rows,
                         .n = m->columns,
                         .k = side(m),
                         .a = is_tall ? x : symmetric,
                         .b = is_tall ? symmetric : x,
                         .c = to,
                         .pitch = m->columns,
                         .layer = m->layer};
}

/* X <- polynomial X from one place to another; the first and the last have factors */
static fal_product advance(const fal_newton_schulz *m, size_t by, fal_view from,
                           fal_view to, int is_first, int is_last)
{
    fal_product p = whole(m, by, from, to);
    if (is_first)
        p.scale = scale(m, 1);
    if (is_last)
        p.alpha = m->factor;
    return p;
}

static fal_product begin(const fal_newton_schulz *m, fal_view x, int is_first)
{
    fal_product p = gram(m, x);
    if (is_first)
        p.scale = scale(m, 2);
    return p;
}

/* The products of a step of one matrix; returns how many. */
static size_t plain_step(const fal_newton_schulz *m, size_t step, fal_product *p)
{
    size_t turn = step / 3;
    fal_view x = turn % 2 ? m->spare : m->x, next = turn % 2 ? m->x : m->spare;
    if (turn == TURNS)
        return 0;
    *p = step % 3 == 0 ? begin(m, x, turn == 0)
         : step % 3 == 1
             ? polynomial(m, POLYNOMIAL)
             : advance(m, POLYNOMIAL, x, next, turn == 0, turn + 1 == TURNS);
    return 1;
}

/* Where a turn's Q and P are: neither where the Q before is. */
static size_t q_of(size_t turn)
{
    return POLYNOMIAL + 2 * turn % 3;
}

static size_t p_of(size_t turn)
{
    return turn ? POLYNOMIAL + (2 * turn - 1) % 3 : POLYNOMIAL;
}

static size_t gram_step(const fal_newton_schulz *m, size_t step, fal_product *p)
{
    int late = step >= EARLY_STEPS;
    size_t at = late ? step - EARLY_STEPS : step, turn = at ? (at - 1) / 3 : 0;
    int ends = turn + 1 == (late ? TURNS - EARLY_TURNS : EARLY_TURNS);
    fal_view x = late ? m->spare : m->x, next = late ? m->x : m->spare;
    size_t count = 0;
    if (at == 0)
        p[count++] = begin(m, x, !late);
    else if (at % 3 == 1)
        p[count++] = polynomial(m, p_of(turn));
    else if (at % 3 == 0)
        p[count++] = ends ? advance(m, q_of(turn), x, next, !late, late)
                          : small(m, GRAM, p_of(turn), POWER);
    else {
        if (!ends)
            p[count++] = small(m, POWER, p_of(turn), GRAM);
        if (turn)
            p[count++] = small(m, q_of(turn), p_of(turn), q_of(turn - 1));
    }
    return count;
}

static fal_status add_step(fal_launches *list, const fal_newton_schulz *matrices,
                           size_t count, size_t step, fal_product *products)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++)
        made += is_gram(&matrices[i])
                    ? gram_step(&matrices[i], step, products + made)
                    : plain_step(&matrices[i], step, products + made);
    for (size_t i = 0; i < made; i++)
        products[i].work = "newton-schulz";
    return fal_gemm_add(list, products, made);
}

/* ---- launches ------------------------------------------------------------ */

static fal_status add_scale(fal_launches *list, const fal_newton_schulz *m)
{
    fal_launch_begin(list, "unit_scale");
    fal_launch_view(list, m->sums);
    fal_launch_uint(list, (uint32_t)fal_square_sums_count(m->rows * m->columns));
    fal_launch_view(list, scale(m, 1));
    return fal_end_group(list);
}

fal_status fal_newton_schulz_add(fal_launches *list,
                                 const fal_newton_schulz *matrices, size_t count)
{
    fal_product *products = fal_allocate(2 * count + 1, sizeof *products);
    fal_status status = products ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        status = add_scale(list, &matrices[i]);
    for (size_t step = 0; step < STEPS && !status; step++)
        status = add_step(list, matrices, count, step, products);
    fal_release(products);
    return status;
}

/* cl/newton_schulz.cl: `mixture`, and bits of cl/common_products.cl's `parts` */
typedef struct mixture {
    cl_float beta, rest;
    cl_uint parts;
} mixture;

enum { PART_HALTED = 4, PART_SCALE = 8 };

fal_status fal_momentum_add(fal_launches *list, const fal_momentum *m)
{
    const mixture how = {m->beta, (float)(1 - (double)m->beta),
                         (cl_uint)((m->halted.buffer ? PART_HALTED : 0) |
                                   (m->scale.buffer ? PART_SCALE : 0))};
    fal_launch_begin(list, "momentum");
    fal_launch_work(list, "", 0, 16. * (double)m->count);
    fal_launch_bytes(list, sizeof how, &how);
    fal_launch_view(list, m->gradient);
    fal_launch_view(list, m->moment);
    fal_launch_view(list, m->mixed);
    fal_launch_view(list, m->sums);
    fal_launch_view(list, m->halted);
    fal_launch_view(list, m->scale);
    return fal_end_square_sums(list, m->count);
}
