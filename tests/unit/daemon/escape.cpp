// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/escape.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace ikefrag;
using namespace std::string_literals;

TEST_CASE("escape: nasty text is harmless in each medium", "[escape]") {
    struct Case {
        std::string name;
        std::string text;
        std::string terminal;
        std::string html;
        std::string csv;
        std::string json;
    };
    const Case cases[] = {
        {"plain",         "Cisco 1.0", "Cisco 1.0",  "Cisco 1.0",         "\"Cisco 1.0\"",  "Cisco 1.0" },
        {"clear screen",  "\x1b[2J",   "\\x1b[2J",   "\\x1b[2J",          "\"\\x1b[2J\"",   "\x1b[2J"   },
        {"end of script",
         "</script>",                  "</script>",
         "&lt;/script&gt;",                                               "\"</script>\"",
         "</script>"                                                                                    },
        {"SQL",           "'; DROP",   "'; DROP",    "&#39;; DROP",       "\"'; DROP\"",    "'; DROP"   },
        {"formula",       "=cmd",      "=cmd",       "=cmd",              "\"'=cmd\"",      "=cmd"      },
        {"minus",         "-1",        "-1",         "-1",                "\"'-1\"",        "-1"        },
        {"plus",          "+1",        "+1",         "+1",                "\"'+1\"",        "+1"        },
        {"at",            "@SUM(A1)",  "@SUM(A1)",   "@SUM(A1)",          "\"'@SUM(A1)\"",  "@SUM(A1)"  },
        {"tab first",     "\t=1",      "\\x09=1",    "\\x09=1",           "\"\\x09=1\"",    "\t=1"      },
        {"CR first",      "\r=1",      "\\x0d=1",    "\\x0d=1",           "\"\\x0d=1\"",    "\r=1"      },
        {"format",        "%n",        "%n",         "%n",                "\"%n\"",         "%n"        },
        {"newline",       "a\nb",      "a\\x0ab",    "a\\x0ab",           "\"a\\x0ab\"",    "a\nb"      },
        {"NUL",           "a\0b"s,     "a\\x00b",    "a\\x00b",           "\"a\\x00b\"",    "a\0b"s     },
        {"quotes",        "\"&\"",     "\"&\"",      "&quot;&amp;&quot;", "\"\"\"&\"\"\"",  "\"&\""     },
        {"backslash",     "\\x41",     "\\x41",      "\\x41",             "\"\\x41\"",      "\\x41"     },
        {"UTF-8",         "\xc3\xa9",  "\\xc3\\xa9", "\\xc3\\xa9",        "\"\\xc3\\xa9\"", "\xc3\xa9"  },
        {"C1 control",    "\xc2\x9b",  "\\xc2\\x9b", "\\xc2\\x9b",        "\"\\xc2\\x9b\"", "\xc2\x9b"  },
        {"no UTF-8",      "\xff\xfe",  "\\xff\\xfe", "\\xff\\xfe",        "\"\\xff\\xfe\"", "\\xff\\xfe"},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(escape_terminal(c.text) == c.terminal);
            CHECK(escape_html(c.text) == c.html);
            CHECK(escape_csv(c.text) == c.csv);
            CHECK(escape_json(c.text) == c.json);
        }
}

TEST_CASE("escape: JSON text is UTF-8 whatever the bytes", "[escape]") {
    struct Case {
        std::string name;
        std::string bytes;
        std::string expected;
    };
    const Case cases[] = {
        {"overlong slash",    "\xc0\xaf",         "\\xc0\\xaf"          },
        {"overlong three",    "\xe0\x80\xaf",     "\\xe0\\x80\\xaf"     },
        {"surrogate",         "\xed\xa0\x80",     "\\xed\\xa0\\x80"     },
        {"above U+10FFFF",    "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"cut two",           "a\xc3",            "a\\xc3"              },
        {"cut three",         "\xe2\x82",         "\\xe2\\x82"          },
        {"cut four",          "\xf0\x9f\x98",     "\\xf0\\x9f\\x98"     },
        {"euro",              "\xe2\x82\xac",     "\xe2\x82\xac"        },
        {"face",              "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"    },
        {"lone continuation", "\x80z",            "\\x80z"              },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) CHECK(escape_json(c.bytes) == c.expected);
}
