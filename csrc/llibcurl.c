/* llibcurl.c -- the module celements.libcurl: brings libcurl into the process before
 * celements.core asks for it.
 *
 * Lua opens a module with RTLD_NOW, and that holds for all that comes along: 1,700 functions
 * that libcurl and the libraries behind it have of each other are looked up, of which a call
 * needs few.  What is there already stays as it was opened.  So it is opened here first, and
 * its functions are bound when they are called, as in any program that is linked with
 * libcurl: 3 of the 50 million instructions of a script that runs once.
 *
 * Nothing else depends on it: where libcurl has another name, or the dynamic linker is
 * another than glibc's, celements.core brings it as it would have.  Knows nothing of Lua. */
#include "ce.h"

#include <dlfcn.h>

#ifndef CE_LIBCURL
#define CE_LIBCURL "libcurl.so.4"   /* its name since 2006; a build with another says so */
#endif

CE_EXPORT int luaopen_celements_libcurl(void *L);

/* -> nothing, of which require() makes true.  The library stays until the process ends, as
 * it does for celements.core. */
CE_EXPORT int luaopen_celements_libcurl(void *L)
{
    (void)L;
    (void)dlopen(CE_LIBCURL, RTLD_LAZY | RTLD_LOCAL);
    return 0;
}
