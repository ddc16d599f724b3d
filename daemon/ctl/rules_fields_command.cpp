// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/json/json.hpp"

#include <boost/json.hpp>

#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t text_columns = 92;

json::array fields_json(const std::vector<FieldHelp>& fields) {
    json::array list;
    for (const auto& field : fields)
        list.push_back({
            {"section", json_text(field.section)                                                },
            {"key",     json_text(field.key)                                                    },
            {"type",    json_text(field.type)                                                   },
            {"default",
             field.default_value.empty() ? json::value(nullptr) : json_text(field.default_value)},
            {"doc",     json_text(field.doc)                                                    }
        });
    return list;
}

std::string fields_text(const std::vector<FieldHelp>& fields, const Terminal& terminal) {
    std::string text;
    std::string section = "?";
    for (const auto& field : fields) {
        if (field.section != section) {
            section = field.section;
            text += terminal.paint(Colour::bold, section.empty() ? "(top of the file)" : section);
            text += '\n';
        }
        text += "  " + field.key + " = " + field.type;
        if (!field.default_value.empty()) text += "   default " + field.default_value;
        text += '\n' + wrapped(field.doc, text_columns, "      ");
    }
    return text;
}

ExitCode run(const Arguments&, Terminal& terminal) {
    if (terminal.json) {
        const json::object object{
            {"format", 1                           },
            {"rules",  fields_json(rule_fields())  },
            {"config", fields_json(config_fields())}
        };
        terminal.write(json::serialize(object) + '\n');
        return ExitCode::ok;
    }
    terminal.write(terminal.paint(Colour::bold, "Rule files, /etc/ikefragd/rules.d/*.toml") + '\n');
    terminal.write(fields_text(rule_fields(), terminal));
    terminal.write('\n' + terminal.paint(Colour::bold, "/etc/ikefragd/ikefragd.toml") + '\n');
    terminal.write(fields_text(config_fields(), terminal));
    return ExitCode::ok;
}

} // namespace

const Command rules_fields_command{
    .name = "rules fields",
    .needs = Needs::nothing,
    .help = "List every key of rule files and configuration, with type and default",
    .positionals = {},
    .options = {},
    .run = run,
};

} // namespace ikefrag::ctl
