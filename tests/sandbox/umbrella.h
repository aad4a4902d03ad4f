#ifndef SANDBOX_UMBRELLA_H
#define SANDBOX_UMBRELLA_H

extern const struct vendor umbrella_vendor;

#endif
