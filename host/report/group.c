#include "report/group.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what differs -------------------------------------------------------- */

static int is_seed(const char *key)
{
    static const char *const seeds[] = {"seed", "feedback-seed", "data-seed",
                                        "noise-seed"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        if (strcmp(key, seeds[i]) == 0)
            return 1;
    return 0;
}

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int same_setting(const report_run *a, const report_run *b, const char *key)
{
    return same_text(report_run_setting(a, key), report_run_setting(b, key));
}

/* `seeds`: whether only the seeds count, or all but them. */
static int has_settings_of(const report_run *a, const report_run *b, int seeds)
{
    for (size_t i = 0; i < a->setting_count; i++)
        if (is_seed(a->settings[i].key) == seeds &&
            !same_setting(a, b, a->settings[i].key))
            return 0;
    return 1;
}

static int same_settings(const report_run *a, const report_run *b, int seeds)
{
    return has_settings_of(a, b, seeds) && has_settings_of(b, a, seeds);
}

int report_groups_differ(const report_groups *groups, const char *key)
{
    for (size_t i = 1; i < groups->count; i++)
        if (!same_setting(groups->list[0].runs[0], groups->list[i].runs[0], key))
            return 1;
    return 0;
}

/* ---- making -------------------------------------------------------------- */

static report_group *find_group(report_groups *groups, const report_run *run)
{
    for (size_t i = 0; i < groups->count; i++)
        if (same_settings(groups->list[i].runs[0], run, 0))
            return &groups->list[i];
    report_group *list = report_grown(groups->list, groups->count, sizeof *list);
    if (!list)
        return NULL;
    groups->list = list;
    list[groups->count] = (report_group){.runs = NULL};
    return &list[groups->count++];
}

static fal_status add_run(report_groups *groups, const report_run *run)
{
    report_group *group = find_group(groups, run);
    if (!group)
        return FAL_ERROR_MEMORY;
    const report_run **runs = report_grown(group->runs, group->count, sizeof *runs);
    if (!runs)
        return FAL_ERROR_MEMORY;
    group->runs = runs;
    runs[group->count++] = run;
    if (group->epoch_steps == 0)
        group->epoch_steps = run->epoch_steps;
    return FAL_OK;
}

static void measure_time(report_groups *groups)
{
    groups->in_epochs = 1;
    for (size_t i = 0; i < groups->count; i++)
        groups->in_epochs &= groups->list[i].epoch_steps > 0;
    for (size_t i = 0; i < groups->count; i++)
        for (size_t r = 0; r < groups->list[i].count; r++) {
            const report_group *group = &groups->list[i];
            double end = report_time(groups, group, group->runs[r]->last_step);
            groups->end = end > groups->end ? end : groups->end;
        }
}

/* ---- names --------------------------------------------------------------- */

static const char *rule_of(const report_group *group)
{
    const char *rule = report_run_setting(group->runs[0], "rule");
    return rule ? rule : "run";
}

/* Whether a key tells the group from another of its rule; data and network from any. */
static int tells_apart(const report_groups *groups, const report_group *group,
                       const char *key)
{
    int always = strcmp(key, "net") == 0 || strcmp(key, "data") == 0;
    for (size_t i = 0; i < groups->count; i++) {
        const report_group *other = &groups->list[i];
        if ((always || strcmp(rule_of(other), rule_of(group)) == 0) &&
            !same_setting(other->runs[0], group->runs[0], key))
            return 1;
    }
    return 0;
}

static void print_detail(FILE *out, const report_groups *groups,
                         const report_group *group)
{
    const report_run *run = group->runs[0];
    size_t count = 0;
    for (size_t i = 0; i < run->setting_count; i++) {
        const report_setting *s = &run->settings[i];
        if (is_seed(s->key) || strcmp(s->key, "rule") == 0 ||
            !tells_apart(groups, group, s->key))
            continue;
        fprintf(out, "%s%s %s", count++ ? ", " : "", s->key,
                s->text ? s->text : "none");
    }
}

static fal_status name_detail(report_groups *groups, report_group *group)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    print_detail(out, groups, group);
    fclose(out);
    group->detail = text ? fal_copy_text(text) : NULL;
    free(text);
    return group->detail ? FAL_OK : FAL_ERROR_MEMORY;
}

/* Its number among those of its rule, 0: it is the only one. */
static size_t number_of(const report_groups *groups, const report_group *group)
{
    size_t before = 1, all = 0;
    for (size_t i = 0; i < groups->count; i++)
        if (strcmp(rule_of(&groups->list[i]), rule_of(group)) == 0) {
            before += &groups->list[i] < group;
            all++;
        }
    return all > 1 ? before : 0;
}

static fal_status name_group(report_groups *groups, report_group *group)
{
    size_t number = number_of(groups, group), size = strlen(rule_of(group)) + 24;
    group->label = fal_allocate(size, 1);
    if (!group->label)
        return FAL_ERROR_MEMORY;
    snprintf(group->label, size, number ? "%s %zu" : "%s", rule_of(group), number);
    return name_detail(groups, group);
}

/* ---- notes --------------------------------------------------------------- */

static fal_status note_group(const report_group *group, report_notes *notes)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < group->count && !status; i++)
        if (!report_run_ended(group->runs[i], group->epoch_steps))
            status = report_note(
                notes,
                "%s: not whole, stops at step %llu; the final figures are those of "
                "whole runs, where there are any",
                group->runs[i]->folder,
                (unsigned long long)group->runs[i]->last_step);
    for (size_t i = 1; i < group->count && !status; i++)
        if (same_settings(group->runs[0], group->runs[i], 1))
            status = report_note(
                notes,
                "%s and %s: the same options and seeds; their band "
                "is no spread over seeds",
                group->runs[0]->folder, group->runs[i]->folder);
    return status;
}

static fal_status note_all(const report_groups *groups, report_notes *notes)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < groups->count && !status; i++)
        status = note_group(&groups->list[i], notes);
    if (!status && report_groups_differ(groups, "net"))
        status = report_note(notes, "the runs have different networks: layers of "
                                    "one name stand in one figure");
    if (!status && report_groups_differ(groups, "data"))
        status = report_note(notes, "the runs have different data sets: their "
                                    "figures do not compare");
    return status;
}

/* ---- all ----------------------------------------------------------------- */

double report_time(const report_groups *groups, const report_group *group,
                   uint64_t step)
{
    return groups->in_epochs ? (double)step / (double)group->epoch_steps
                             : (double)step;
}

fal_status report_groups_make(report_groups *groups, report_input *input)
{
    fal_status status = FAL_OK;
    *groups = (report_groups){.list = NULL};
    for (size_t i = 0; i < input->run_count && !status; i++)
        if (input->runs[i].lines > 0)
            status = add_run(groups, &input->runs[i]);
    for (size_t i = 0; i < groups->count && !status; i++)
        status = name_group(groups, &groups->list[i]);
    if (!status)
        measure_time(groups);
    return status ? status : note_all(groups, &input->notes);
}

void report_groups_release(report_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        fal_release(groups->list[i].runs);
        fal_release(groups->list[i].label);
        fal_release(groups->list[i].detail);
    }
    fal_release(groups->list);
    *groups = (report_groups){.list = NULL};
}
