#include "cli/facts.h"

#include <stdio.h>
#include <string.h>

const cli_fact cli_exits[] = {{"0", "done"},
                              {"1", "failed"},
                              {"2", "wrong use"},
                              {"130", "interrupted"},
                              {NULL, NULL}};

const cli_fact cli_variables[] = {
    {"FALIGN_DEVICE", "the device where --device is not given"},
    {"FALIGN_KERNELS", "cpu or gpu: forces the family of kernels, which otherwise "
                       "follows from the device"},
    {"FALIGN_VECTOR", "4, 8 or 16: forces the width of float vectors"},
    {"FALIGN_DATASETS", "a folder where names of data sets are looked for, after "
                        "--data-path"},
    {"XDG_CACHE_HOME", "its falign/datasets is the next such folder; not set: "
                       "~/.cache"},
    {"NO_COLOR", "if not empty, nothing is printed in color"},
    {"TERM", "dumb: a plain line an epoch in place of the live line"},
    {"OCL_ICD_VENDORS", "of the OpenCL loader: which implementations it sees, for "
                        "example pocl.icd"},
    {"POCL_CACHE_DIR", "of PoCL: where it keeps compiled kernels; not set: "
                       "$XDG_CACHE_HOME/pocl or ~/.cache/pocl"},
    {NULL, NULL}};

const char cli_conventions[] =
    "Options are written --batch 64 or --batch=64; in brackets stands the default. "
    "Sizes go up to 2147483647 in each dimension, bytes to what size_t holds; "
    "seeds "
    "have 64 bits; paths are UTF-8.";

void cli_option_meaning(const cli_option *option, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", option->meaning);
    if (option->kind != CLI_RULE && option->kind != CLI_RULES)
        return;
    for (size_t i = 0; i < fal_rule_count() && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : ": ",
                                 fal_rule_name(i));
}
