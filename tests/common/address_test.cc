#include "common/address.h"

#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Address, NamesAndAddressesWithAPortAreGood) {
  for (const char* good :
       {"berth.center.example:7443", "localhost:1", "node_1:65535", "127.0.0.1:7443",
        "0.0.0.0:7443", "[::1]:7443", "[::]:7443", "1a:7443", "berth.example.:7443"}) {
    EXPECT_TRUE(CheckAddress(good, 1).ok()) << good << ": " << CheckAddress(good, 1);
  }
}

TEST(Address, APortIsANumberThatThereIs) {
  for (const char* bad : {"h:99999", "h:65536", "h:-1", "h:+1", "h: 1", "h:7443x", "h:000001"}) {
    EXPECT_EQ(CheckAddress(bad, 0).message(),
              "\"" + std::string(bad) + "\": a port is a number from 0 to 65535");
  }
  EXPECT_TRUE(CheckAddress("127.0.0.1:0", 0).ok());
  EXPECT_FALSE(CheckAddress("127.0.0.1:0", 1).ok());
}

TEST(Address, AHostIsNoGarbage) {
  for (const char* bad : {"", ":7443", "host", "host:", "127.0.0.256:80", "10.1:80", "a b:80",
                          "https://host:443", "[::1:80", "[localhost]:80", "[]:80", "-\n:80"}) {
    EXPECT_FALSE(CheckAddress(bad, 0).ok()) << bad;
  }
  EXPECT_EQ(CheckAddress("::1:7443", 0).message(),
            "\"::1:7443\": an IPv6 address stands in brackets, as [::1]:7443");
}

}  // namespace
}  // namespace berth
