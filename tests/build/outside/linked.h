/* SPDX-License-Identifier: MIT */
#ifndef LINKED_H
#define LINKED_H

const char *linked_version(void);

#endif
