#include "cli/analyze.h"
#include "cli/output.h"

#include <math.h>
#include <stdio.h>

enum { VERDICT = 512, WAY = 64 };

/* Of |theta|: what polishing further away than that finds is another point. */
static const double FAR = .1;

static int led_far(const cli_fixed_point *found)
{
    return found->polished && !(found->moved <= FAR);
}

/* ---- the verdict --------------------------------------------------------- */

static const char *describe_critical(const fal_fixed_point *point)
{
    if (!fal_fixed_point_is_critical(point))
        return "; the gradient of the loss does not vanish there";
    if (point->hessian.negative > 0)
        return "; it is a saddle of the loss";
    return point->hessian.zero > 0 ? "; it is a degenerate minimum of the loss"
                                   : "; it is a minimum of the loss";
}

static void describe_none(const cli_fixed_point *found, char text[VERDICT])
{
    const fal_fixed_point *point = &found->point;
    const char *advice = found->polished
                             ? ": Newton's method does not get there; train longer"
                             : ": train longer, or give --polish";
    if (isinf(point->update_step))
        snprintf(text, VERDICT, "no fixed point of %s, and none is near%s",
                 found->rule,
                 found->polished ? ": Newton's method found none; train longer"
                                 : "; train longer");
    else
        snprintf(text, VERDICT,
                 "no fixed point of %s: the next is about %.2g of |theta| away%s",
                 found->rule, point->update_step / point->weight_norm, advice);
}

static void describe(const cli_fixed_point *found, char text[VERDICT])
{
    const fal_fixed_point *point = &found->point;
    const fal_spectrum *j = &point->jacobian;
    if (!fal_fixed_point_is_fixed(point)) {
        describe_none(found, text);
        return;
    }
    int used = snprintf(text, VERDICT, "a fixed point that %s %s", found->rule,
                        j->positive ? "leaves" : "stays at");
    if (j->positive)
        used += snprintf(text + used, VERDICT - (size_t)used,
                         ", along %zu of %zu directions", j->positive, j->side);
    if (j->zero)
        used += snprintf(text + used, VERDICT - (size_t)used,
                         "%s neutral along %zu", j->positive ? " and" : ",",
                         j->zero);
    used += snprintf(text + used, VERDICT - (size_t)used, "%s",
                     describe_critical(point));
    if (led_far(found))
        snprintf(text + used, VERDICT - (size_t)used,
                 "; but the model was not near it: train longer");
}

/* ---- as text ------------------------------------------------------------- */

static void print_spectrum(const char *name, const fal_spectrum *s)
{
    cli_print("%-18s%9zu%9zu%9zu%13.4g%13.4g\n", name, s->negative, s->zero,
              s->positive, s->side ? s->real[s->side - 1] : 0,
              s->side ? s->real[0] : 0);
}

static void print_spectra(const fal_fixed_point *point)
{
    cli_print("\n%-18s%9s%9s%9s%13s%13s\n", "real parts", "below 0", "zero",
              "above 0", "least", "largest");
    print_spectrum("J = du/dtheta", &point->jacobian);
    print_spectrum("Hessian", &point->hessian);
    print_spectrum("Q = sym(-H J)", &point->stability);
    cli_print("\n");
}

static void print_least_stable(const fal_fixed_point *point)
{
    const fal_spectrum *j = &point->jacobian;
    const size_t at = point->least_stable;
    if (at == j->side)
        return;
    cli_print("least stable      %.4g", j->real[at]);
    if (j->imaginary[at] != 0)
        cli_print(" + %.4gi", j->imaginary[at]);
    cli_print(", cos(-grad L, u) along it %.4f\n", point->along);
}

static void print_count(const fal_fixed_point *point)
{
    if (fal_fixed_point_is_counted(point))
        cli_print(
            "unstable          %zu, expected %zu = %zu inputs (bias too) x %zu "
            "units with B V < 0\n",
            point->jacobian.positive, point->unit_inputs * point->opposed,
            point->unit_inputs, point->opposed);
}

static const char *describe_way(char text[WAY], double step, double norm)
{
    if (isinf(step))
        return "no zero in reach";
    snprintf(text, WAY, "next zero about %.2g of |theta| away", step / norm);
    return text;
}

static void print_polish(const cli_fixed_point *found)
{
    const char *end = "";
    if (!fal_fixed_point_is_fixed(&found->point))
        end = ", and found no fixed point";
    else if (led_far(found))
        end = ": far from the model";
    if (found->polished)
        cli_print("polished          %zu steps, moved by %.2g of |theta|%s\n",
                  found->steps, found->moved, end);
}

void cli_fixed_point_print(const cli_fixed_point *found)
{
    const fal_fixed_point *point = &found->point;
    char verdict[VERDICT], u[WAY], gradient[WAY];
    cli_print("rule              %s, %s\nsamples           %zu\n"
              "parameters        %zu, |theta| %.4g\n",
              found->rule, found->loss, found->samples, found->parameters,
              point->weight_norm);
    print_polish(found);
    cli_print("loss              %.9g\n|u|               %.3g, %s\n"
              "|grad L|          %.3g, %s\ncos(-grad L, u)   %.4f\n",
              point->loss, point->update_norm,
              describe_way(u, point->update_step, point->weight_norm),
              point->gradient_norm,
              describe_way(gradient, point->gradient_step, point->weight_norm),
              point->cosine);
    print_spectra(point);
    print_least_stable(point);
    print_count(point);
    describe(found, verdict);
    cli_print("verdict           ");
    cli_print_words(verdict, 18);
}

/* ---- as JSON ------------------------------------------------------------- */

static void add_numbers(fal_json *json, const char *key, const double *values,
                        size_t count)
{
    fal_json_key(json, key);
    fal_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        fal_json_number(json, values[i]);
    fal_json_end_array(json);
}

static void add_spectrum(fal_json *json, const char *key, const fal_spectrum *s,
                         int is_complex)
{
    fal_json_key(json, key);
    fal_json_begin_object(json);
    cli_json_count(json, "positive", s->positive);
    cli_json_count(json, "zero", s->zero);
    cli_json_count(json, "negative", s->negative);
    add_numbers(json, "real", s->real, s->side);
    if (is_complex)
        add_numbers(json, "imaginary", s->imaginary, s->side);
    fal_json_end_object(json);
}

static void add_norms(fal_json *json, const fal_fixed_point *point)
{
    cli_json_number(json, "loss", point->loss);
    cli_json_number(json, "weight_norm", point->weight_norm);
    cli_json_number(json, "update_norm", point->update_norm);
    cli_json_number(json, "gradient_norm", point->gradient_norm);
    cli_json_number(json, "cosine", point->cosine);
    cli_json_number(json, "update_step", point->update_step);
    cli_json_number(json, "gradient_step", point->gradient_step);
}

static void add_polish(fal_json *json, const cli_fixed_point *found)
{
    if (!found->polished)
        return;
    cli_json_count(json, "polish_steps", found->steps);
    cli_json_number(json, "polish_distance", found->moved);
}

static void add_least_stable(fal_json *json, const fal_fixed_point *point)
{
    const size_t at = point->least_stable;
    if (at == point->jacobian.side)
        return;
    fal_json_key(json, "least_stable");
    fal_json_begin_object(json);
    cli_json_number(json, "real", point->jacobian.real[at]);
    cli_json_number(json, "imaginary", point->jacobian.imaginary[at]);
    cli_json_number(json, "cosine", point->along);
    fal_json_end_object(json);
}

static void add_count(fal_json *json, const fal_fixed_point *point)
{
    if (point->has_count)
        cli_json_count(json, "opposed_units", point->opposed);
    if (fal_fixed_point_is_counted(point))
        cli_json_count(json, "unstable_expected",
                       point->unit_inputs * point->opposed);
}

static void add_verdict(fal_json *json, const cli_fixed_point *found)
{
    char verdict[VERDICT];
    fal_json_key(json, "fixed_point");
    fal_json_bool(json, fal_fixed_point_is_fixed(&found->point));
    fal_json_key(json, "critical_point");
    fal_json_bool(json, fal_fixed_point_is_critical(&found->point));
    describe(found, verdict);
    cli_json_text(json, "verdict", verdict);
}

fal_status cli_fixed_point_json(const cli_fixed_point *found)
{
    const fal_fixed_point *point = &found->point;
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_text(&json, "network", found->network);
    cli_json_text(&json, "rule", found->rule);
    cli_json_text(&json, "loss_name", found->loss);
    cli_json_count(&json, "samples", found->samples);
    cli_json_count(&json, "parameters", found->parameters);
    add_polish(&json, found);
    add_norms(&json, point);
    add_spectrum(&json, "jacobian", &point->jacobian, 1);
    add_spectrum(&json, "hessian", &point->hessian, 0);
    add_spectrum(&json, "stability", &point->stability, 0);
    add_least_stable(&json, point);
    add_count(&json, point);
    add_verdict(&json, found);
    fal_json_end_object(&json);
    return cli_print_json(&json);
}
