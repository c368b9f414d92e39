/* buf.c -- the buffer: limits, failing memory, and nothing left behind. */
#include "check.h"
#include "buf.h"
#include "auth.h"

#include <string.h>

static void limits(void)
{
    struct ce_buf b;
    char *at;

    ce_buf_init(&b, 10);
    CHECK(ce_buf_add(&b, "", 0) == CE_OK && b.data != NULL && b.data[0] == '\0');
    CHECK(ce_buf_adds(&b, "0123456789") == CE_OK && b.len == 10);
    CHECK(ce_buf_adds(&b, "x") == CE_ETOOBIG && b.len == 10 && strcmp(b.data, "0123456789") == 0);
    CHECK(ce_buf_reserve(&b, 1) == NULL);
    CHECK(ce_buf_add(&b, "x", (size_t)-1) == CE_ETOOBIG);
    CHECK(ce_buf_reserve(&b, (size_t)-1) == NULL);
    ce_buf_clear(&b, CE_BUF_SMALL);
    CHECK(b.len == 0 && b.data[0] == '\0');
    at = ce_buf_reserve(&b, 3);
    CHECK(at != NULL);
    memcpy(at, "abc", 3);
    b.len += 3;
    CHECK(ce_buf_adds(&b, "def") == CE_OK && strcmp(b.data, "abcdef") == 0);
    ce_buf_wipe(&b);
    CHECK(b.data == NULL && b.len == 0 && b.max == 10);
    CHECK(ce_buf_adds(&b, "again") == CE_OK);
    ce_buf_wipe(&b);
    ce_buf_wipe(&b);
}

/* Every size by every step; the content is what was put in. */
static void growing(void)
{
    static char model[70000];
    struct ce_buf b;
    int round;

    for (round = 0; round < 200; round++) {
        size_t have = 0;

        ce_buf_init(&b, sizeof(model));
        while (have < sizeof(model)) {
            char piece[3000];
            size_t n = random_below(sizeof(piece));

            memset(piece, (int)('a' + random_below(26)), sizeof(piece));
            if (ce_buf_add(&b, piece, n) != CE_OK) {
                CHECK(n > sizeof(model) - have);
                break;
            }
            memcpy(model + have, piece, n);
            have += n;
        }
        CHECK(b.len == have && memcmp(b.data, model, have) == 0 && b.data[have] == '\0');
        ce_buf_wipe(&b);
    }
}

/* Every small size on top of every other: the block ends where it should. */
static void exact(void)
{
    static const char zeros[300];
    size_t first;
    size_t second;

    for (first = 0; first < sizeof(zeros); first++)
        for (second = 0; second < sizeof(zeros); second++) {
            struct ce_buf b;

            ce_buf_init(&b, 1000);
            CHECK(ce_buf_add(&b, zeros, first) == CE_OK && ce_buf_add(&b, zeros, second) == CE_OK);
            CHECK(b.len == first + second && b.cap > b.len);
            ce_buf_wipe(&b);
        }
}

static int build(struct ce_buf *out)
{
    struct ce_buf user;
    struct ce_buf organization;
    struct ce_credentials with = { &user, &organization, NULL };
    int rc;

    ce_buf_init(&user, 5000);
    ce_buf_init(&organization, 5000);
    rc = ce_buf_adds(&user, "CANARY-user");
    while (rc == CE_OK && user.len < 4000)
        rc = ce_buf_adds(&user, "CANARY-user");
    if (rc == CE_OK)
        rc = ce_buf_adds(&organization, "CANARY-organization");
    if (rc == CE_OK)
        rc = ce_auth_header(out, &with);
    ce_buf_wipe(&user);
    ce_buf_wipe(&organization);
    return rc;
}

/* Memory that fails at each place in turn: told, nothing lost, and the text as it was. */
static void failing(void)
{
    long n;

    for (n = 1; n < 1000; n++) {
        struct ce_buf out;
        int rc;

        ce_buf_init(&out, 65536);
        CHECK(ce_buf_adds(&out, "before ") == CE_OK);
        alloc_fail_at(n);
        rc = build(&out);
        if (alloc_failed()) {
            CHECK(rc == CE_ENOMEM);
            CHECK(out.len == 7 && memcmp(out.data, "before ", 7) == 0);
        } else {
            CHECK(rc == CE_OK);
            CHECK(strstr(out.data, ", Organization CANARY-organization") != NULL);
        }
        rc = alloc_failed();
        alloc_fail_at(0);
        ce_buf_wipe(&out);
        CHECK(alloc_live() == 0);
        if (!rc)
            break;
    }
    CHECK(n > 3 && n < 1000);
}

static void authorization(void)
{
    struct ce_buf secret;
    struct ce_buf none;
    struct ce_buf out;
    struct ce_credentials with = { NULL, NULL, NULL };

    ce_buf_init(&secret, 100);
    ce_buf_init(&none, 100);
    ce_buf_init(&out, 1000);
    CHECK(ce_buf_adds(&secret, "a+/=") == CE_OK);
    CHECK(ce_auth_header(&out, &with) == CE_OK && out.len == 0);
    with.user = &secret;
    with.organization = &none;
    with.element = &secret;
    CHECK(ce_auth_header(&out, &with) == CE_OK && strcmp(out.data, "Authorization: User a+/=, Element a+/=") == 0);
    ce_buf_clear(&out, CE_BUF_SMALL);
    out.max = 20;
    CHECK(ce_auth_header(&out, &with) == CE_ETOOBIG && out.len == 0);
    ce_buf_wipe(&secret);
    ce_buf_wipe(&none);
    ce_buf_wipe(&out);
}

int main(void)
{
    limits();
    growing();
    exact();
    authorization();
    alloc_forbid("CANARY");
    failing();
    return check_done();
}
