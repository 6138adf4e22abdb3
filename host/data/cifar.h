/* The binary files of CIFAR-10 and CIFAR-100: records of one label byte (CIFAR-10) or
 * two (CIFAR-100: the coarse label, then the fine one), then 32x32 pixels as a plane
 * of bytes each of red, green and blue. */
#ifndef FAL_CIFAR_H
#define FAL_CIFAR_H

#include "data/format.h"

extern const fal_format fal_cifar10, fal_cifar100;
extern const fal_classes fal_cifar10_classes, fal_cifar100_classes,
    fal_cifar100_coarse_classes;

#endif
