// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace ikefrag {

/// What a path answers.
struct HttpPage {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};

/// Serves a few pages over HTTP/1.1 on the io_context's thread, one request a connection.
///
/// Bounds: 8 connections at once (more wait in the kernel's backlog), each for at most 5 s from
/// accept to the last byte; headers of at most 8 KiB; GET only (405), paths of at most
/// 1 KiB (414), no body. A slow or silent client costs its place, nobody's time.
class HttpServer {
public:
    /// In: path without its query. Out: empty: no such page (404)
    using Answer = std::function<std::unique_ptr<HttpPage>(std::string_view path)>;

    /// An endpoint that cannot be bound is told in the log and tried again every 10 s: serving
    /// metrics is not worth the daemon's life.
    HttpServer(boost::asio::io_context& io, const std::vector<Endpoint>& endpoints, Answer answer);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Ports listened on, in the order of the endpoints; 0: not bound.
    [[nodiscard]] std::vector<std::uint16_t> ports() const;

private:
    class State;
    std::shared_ptr<State> state_;
};

} // namespace ikefrag
