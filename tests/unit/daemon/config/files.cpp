// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/config/vendor_files.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace ikefrag;

namespace {

/// A directory of its own, removed with the object.
struct Folder {
    Folder() {
        char name[] = "/tmp/ikefrag-config-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
        const auto full = path + '/' + name;
        std::filesystem::create_directories(std::filesystem::path(full).parent_path());
        std::ofstream(full) << text;
        ::chmod(full.c_str(), mode);
        return full;
    }
    std::string path;
};

std::string complaint(const std::string& path, Ownership ownership = Ownership::strict) {
    const auto config = read_config(path, "", ownership);
    return config ? "fine" : to_string(config.error());
}

} // namespace

TEST_CASE("config files: rules are read from rules.d beside, in lexical order", "[config]") {
    const Folder folder;
    const auto path = folder.write("ikefragd.toml", "mode = 'guard'\n");
    folder.write("rules.d/20-b.toml", "[[rule]]\nname = 'b'\naction = 'leave'\n");
    folder.write("rules.d/10-a.toml",
                 "[[rule]]\nname = 'a'\naction = 'pass'\nmatch.class = 'ike'\n");
    folder.write("rules.d/30-c.toml.orig", "not read");
    folder.write("rules.d/.hidden.toml", "not read");
    const auto config = read_config(path, "", Ownership::strict);
    REQUIRE(config);
    REQUIRE(config->policy->rules.size() == 2);
    CHECK(config->policy->rules[0].name == "a");
    CHECK(config->policy->rules[1].name == "b");
    CHECK(config->rules_directory == folder.path + "/rules.d");
    std::filesystem::remove_all(folder.path + "/rules.d");
    const auto without = read_config(path, "", Ownership::strict);
    REQUIRE(without);
    CHECK(without->rules_directory.empty()); // a reload tells it from a directory without rules
}

TEST_CASE("config files: vendor IDs of one's own stand beside the configuration", "[config]") {
    const Folder folder;
    const auto config = folder.write("ikefragd.toml", "");
    const auto built_in = default_vendor_ids().size();
    SECTION("no file: the built-in ones") {
        const auto known = read_vendor_ids(config, Ownership::strict);
        REQUIRE(known);
        CHECK(known->size() == built_in);
    }
    SECTION("added to the built-in ones") {
        folder.write("vendor-ids.txt", "# ours\nAcme gateway\t0badc0de\tacme\n");
        const auto known = read_vendor_ids(config, Ownership::strict);
        REQUIRE(known);
        REQUIRE(known->size() == built_in + 1);
        CHECK(known->back().vendor == "acme");
    }
    SECTION("in the place of a built-in one of the same prefix, and of no other") {
        folder.write("vendor-ids.txt",
                     "Our NAT-T\t4a131c81070358455c5728f20e95452f\tacme\n"
                     "Windows 9\t1e2b516905991c7d7c96fcbfb587e461000000\n");
        const auto known = read_vendor_ids(config, Ownership::strict);
        REQUIRE(known);
        CHECK(known->size() == built_in + 1);
        std::vector<std::string> names;
        for (const auto& id : *known)
            if (id.prefix.front() == 0x4a) names.push_back(id.name);
        CHECK(names == std::vector<std::string>{"Our NAT-T"});
    }
    SECTION("a mistake is told with its line") {
        folder.write("vendor-ids.txt", "Acme gateway\t0badc0de\nAcme\tzz\n");
        const auto known = read_vendor_ids(config, Ownership::strict);
        REQUIRE_FALSE(known);
        CHECK(known.error().front().file == folder.path + "/vendor-ids.txt");
        CHECK(known.error().front().position.line == 2);
    }
    SECTION("nor may others write it") {
        folder.write("vendor-ids.txt", "", 0666);
        CHECK_FALSE(read_vendor_ids(config, Ownership::strict));
    }
}

TEST_CASE("config files: what others may write is refused", "[config]") {
    const Folder folder;
    const auto path = folder.write("c.toml", "");
    CHECK(complaint(path) == "fine");
    SECTION("the file itself") {
        ::chmod(path.c_str(), 0646);
        CHECK(complaint(path) == path + ": others may write it: refused (chmod o-w)\n");
        CHECK(complaint(path, Ownership::lenient) ==
              path + ": others may write it: refused (chmod o-w)\n");
    }
    SECTION("a rule file") {
        const auto rule = folder.write("rules.d/a.toml", "", 0666);
        CHECK(complaint(path) == rule + ": others may write it: refused (chmod o-w)\n");
    }
    SECTION("the rules directory") {
        folder.write("rules.d/a.toml", "");
        ::chmod((folder.path + "/rules.d").c_str(), 0777);
        CHECK(complaint(path) ==
              folder.path + "/rules.d: others may write it: refused (chmod o-w)\n");
    }
    if (::geteuid() == 0) {
        SECTION("its group") {
            ::chmod(path.c_str(), 0664);
            CHECK(complaint(path) == "fine");
            REQUIRE(::chown(path.c_str(), 0, 1000) == 0);
            CHECK(complaint(path) == path + ": its group may write it: refused (chmod g-w)\n");
        }
        SECTION("somebody else's file") {
            REQUIRE(::chown(path.c_str(), 1000, 1000) == 0);
            CHECK(complaint(path) == path + ": it belongs to user 1000: refused (chown root)\n");
            CHECK(complaint(path, Ownership::lenient) == "fine");
        }
        SECTION("somebody else's link") {
            const auto link = folder.path + "/link.toml";
            REQUIRE(::symlink("c.toml", link.c_str()) == 0);
            CHECK(complaint(link) == "fine");
            REQUIRE(::lchown(link.c_str(), 1000, 1000) == 0);
            CHECK(complaint(link) == link + ": it is a symbolic link of user 1000: refused (only "
                                            "root's are followed)\n");
        }
    }
}

TEST_CASE("config files: what is no readable text file is told", "[config]") {
    const Folder folder;
    const auto missing = folder.path + "/no.toml";
    CHECK(complaint(missing) == missing + ": cannot read: No such file or directory\n");
    const auto directory = folder.path + "/d.toml";
    std::filesystem::create_directory(directory);
    CHECK(complaint(directory) == directory + ": not a regular file\n");
    const auto pipe = folder.path + "/p.toml";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(complaint(pipe) == pipe + ": not a regular file\n");
    const auto large = folder.write("l.toml", std::string((1 << 20) + 1, '#'));
    CHECK(complaint(large) == large + ": larger than 1 MiB\n");
}

TEST_CASE("config files: both files' mistakes are told", "[config]") {
    const Folder folder;
    const auto path = folder.write("c.toml", "mode = 1\n");
    folder.write("rules.d/a.toml", "[[rule]]\n");
    const auto text = complaint(path);
    CHECK(text.find("c.toml:1:8: mode is 1") != std::string::npos);
    CHECK(text.find("rules.d/a.toml:1:1: rule needs a name") != std::string::npos);
}

TEST_CASE("rules: each example is right as it stands", "[config]") {
    const TextFile config{
        "c", "[[server]]\nname = 'vpn1'\naddresses = ['203.0.113.5', '2001:db8::5']\n"};
    const auto shipped = read_config_file(PROJECT_DIR "/rules/00-default.toml", Ownership::lenient);
    REQUIRE(shipped);
    CHECK(shipped->text == shipped_rules());
    int examples = 0;
    for (const auto& entry : std::filesystem::directory_iterator(PROJECT_DIR "/rules/examples")) {
        const auto file = read_config_file(entry.path(), Ownership::lenient);
        REQUIRE(file);
        const std::vector rules{*file, *shipped};
        CHECK(entry.path().filename() < "00-default.toml");
        const auto parsed = parse_config(config, rules);
        if (!parsed) FAIL(to_string(parsed.error()));
        ++examples;
    }
    CHECK(examples >= 3);
}
