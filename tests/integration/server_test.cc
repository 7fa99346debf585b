// Starting and refusing to start.

#include "scheduler/server.h"

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "scheduler/rpc/local_admin.h"
#include "tests/testing/running_server.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

absl::StatusOr<ServerOptions> Read(const std::string& text) {
  absl::StatusOr<ConfigFile> file = ConfigFile::Parse(text, "berthd.toml");
  return file.ok() ? ReadServerOptions(*file) : absl::StatusOr<ServerOptions>(file.status());
}

TEST(ServerOptions, ReadsEveryKey) {
  const auto options = Read(R"(
listen = "127.0.0.1:7443"
port_file = "/tmp/port"
data_dir = "/tmp/data"
admin_socket = "/tmp/data/a.sock"
log_level = "debug"
[lease]
timeout = "1m"
kill_timeout = "5s"
[nodes]
heartbeat_interval = "1s"
suspect_after = "4s"
lost_after = "70s"
[tls]
certificate = "c.pem"
key = "k.pem"
[scheduling]
plan_interval = "2ms"
prepare_timeout = "20s"
)");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->listen, "127.0.0.1:7443");
  EXPECT_EQ(options->port_file, "/tmp/port");
  EXPECT_EQ(options->data_dir, "/tmp/data");
  EXPECT_EQ(options->admin_socket, "/tmp/data/a.sock");
  EXPECT_EQ(options->log_level, LogLevel::kDebug);
  EXPECT_EQ(options->policy.lease_timeout, absl::Minutes(1));
  EXPECT_EQ(options->policy.kill_timeout, absl::Seconds(5));
  EXPECT_EQ(options->policy.heartbeat_interval, absl::Seconds(1));
  EXPECT_EQ(options->policy.suspect_after, absl::Seconds(4));
  EXPECT_EQ(options->policy.lost_after, absl::Seconds(70));
  EXPECT_EQ(options->tls_certificate, "c.pem");
  EXPECT_EQ(options->loop.plan_interval, absl::Milliseconds(2));
  EXPECT_EQ(options->policy.prepare_timeout, absl::Seconds(20));
}

TEST(ServerOptions, DefaultsWorkTogether) {
  const auto options = Read("");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->listen, "127.0.0.1:0");
}

TEST(ServerOptions, RefusesWhatCannotWork) {
  for (const char* text : {
           "lisen = \"x\"",
           "listen = \"nowhere\"",
           "listen = \"127.0.0.1:99999\"",
           "listen = \"0.0.0.0:7443\"",
           "listen = \"[::]:7443\"",
           "listen = \"127.evil.example:80\"",
           "log_level = \"loud\"",
           "data_dir = \"\"",
           "[tls]\ncertificate = \"c.pem\"",
           "[lease]\ntimeout = \"-1s\"",
           "[nodes]\nheartbeat_interval = \"1m\"",
           "[nodes]\nlost_after = \"30m\"",
           "[nodes]\nsuspect_after = \"33m\"",
           "[scheduling]\nplan_interval = \"2h\"",
           "[nodes]\nfence_after = \"2m\"",
           "[nodes]\nfence_command = \"/bin/true\"",
           "[nodes]\nfence_command = [\"true\"]",
           "[nodes]\nfence_command = [\"/no/such/program\"]",
           "[nodes]\nfence_command = [\"/bin/true\"]\nfence_after = \"30s\"",
           "[nodes]\nfence_command = [\"/bin/true\"]\nfence_after = \"32m\"",
       }) {
    EXPECT_EQ(Read(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ServerOptions, WithoutAFenceCommandNothingIsFenced) {
  EXPECT_EQ(Read("")->policy.fence_after, absl::InfiniteDuration());
  const auto options = Read("[nodes]\nfence_command = [\"/bin/true\", \"-x\"]");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->policy.fence_after, absl::Minutes(2));
  EXPECT_EQ(options->loop.fence_command, (std::vector<std::string>{"/bin/true", "-x"}));
}

// T_S (1 - rho) >= T_A (1 + rho) + K, with the numbers in the message.
TEST(ServerOptions, TheLeaseRuleSaysWhatWouldDo) {
  const std::string lease = "[lease]\ntimeout = \"100s\"\nkill_timeout = \"10s\"\n[nodes]\n";
  EXPECT_TRUE(Read(lease + "lost_after = \"113s\"").ok());
  const absl::Status status = Read(lease + "lost_after = \"112s\"").status();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(FindDetail(status)->fix.at(0).find("1m53s"), std::string::npos) << status;
}

TEST(ServerStart, WritesItsAddressOnceItServes) {
  const TempDir dir;
  ServerOptions options;
  options.data_dir = dir.File("data");
  options.port_file = dir.File("port");
  const SystemClock clock;
  const auto server = Server::Start(options, clock);
  ASSERT_TRUE(server.ok()) << server.status();
  std::ifstream file(options.port_file);
  std::string address;
  file >> address;
  EXPECT_EQ(address, (*server)->address());
  v1::PingResponse response;
  EXPECT_TRUE(
      TestClient(address, "").Call(&TestClient::Stub::Ping, v1::PingRequest(), &response).ok());
}

TEST(ServerStart, RefusesASecondOneOnTheSameDataOrPort) {
  RunningServer first;
  EXPECT_FALSE(Server::Start(first.options(), first.clock()).ok());
  const TempDir dir;
  ServerOptions same_port;
  same_port.data_dir = dir.File("data");
  same_port.listen = first.address();
  EXPECT_EQ(FindDetail(Server::Start(same_port, first.clock()).status())->code, "B8007");
  v1::PingResponse response;
  EXPECT_TRUE(first.Client("").Call(&TestClient::Stub::Ping, v1::PingRequest(), &response).ok());
}

TEST(ServerStart, RefusesFoldersThatOthersCanEnter) {
  const TempDir dir;
  ASSERT_EQ(mkdir(dir.File("data").c_str(), 0755), 0);
  ASSERT_EQ(chmod(dir.File("data").c_str(), 0755), 0);
  ServerOptions options;
  options.data_dir = dir.File("data");
  const SystemClock clock;
  EXPECT_EQ(FindDetail(Server::Start(options, clock).status())->code, "B8003");

  EXPECT_FALSE(CheckSocketFolder(dir.File("data/admin.sock")).ok());
  EXPECT_FALSE(CheckSocketFolder(dir.File("none/admin.sock")).ok());
  EXPECT_FALSE(CheckSocketFolder("/tmp/admin.sock").ok());
  ASSERT_EQ(chmod(dir.File("data").c_str(), 0700), 0);
  EXPECT_TRUE(CheckSocketFolder(dir.File("data/admin.sock")).ok());
  EXPECT_FALSE(CheckSocketFolder(dir.File("data/" + std::string(200, 'x'))).ok());
}

TEST(ServerStart, RefusesAPrivateKeyThatOthersCanRead) {
  const TempDir dir;
  std::ofstream(dir.File("key.pem")) << "key";
  std::ofstream(dir.File("cert.pem")) << "cert";
  ASSERT_EQ(chmod(dir.File("key.pem").c_str(), 0644), 0);
  ServerOptions options;
  options.data_dir = dir.File("data");
  options.tls_certificate = dir.File("cert.pem");
  options.tls_key = dir.File("key.pem");
  const SystemClock clock;
  EXPECT_EQ(FindDetail(Server::Start(options, clock).status())->code, "B8005");
  // A key that is not one is refused as well, and the data folder is free again.
  ASSERT_EQ(chmod(dir.File("key.pem").c_str(), 0600), 0);
  EXPECT_FALSE(Server::Start(options, clock).ok());
}

}  // namespace
}  // namespace berth
