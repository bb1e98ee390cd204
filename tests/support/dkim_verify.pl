# Verify the message on standard input with Mail::DKIM; keys come from the DNS server given as
# host and port. One line for each signature: result, domain, selector, detail; separated by tabs.
# With the third word "arc", one line: what Mail::DKIM makes of the ARC chain, and why.
use strict;
use warnings;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my ($host, $port, $what) = @ARGV;
Mail::DKIM::DNS::resolver(
    Net::DNS::Resolver->new(
        nameservers => [$host], port => $port, recurse => 1, retry => 2, udp_timeout => 5, tcp_timeout => 5
    )
);

binmode STDIN;
my $arc = ($what // '') eq 'arc';
my $verifier = $arc ? Mail::DKIM::ARC::Verifier->new() : Mail::DKIM::Verifier->new();
local $/ = undef;
my $message = <STDIN>;
$verifier->PRINT($message);
$verifier->CLOSE;
if ($arc) {
    print join("\t", $verifier->result, $verifier->result_detail), "\n";
    exit;
}
for my $signature ($verifier->signatures) {
    my @columns = ($signature->result, $signature->domain, $signature->selector, $signature->result_detail);
    s/\s+/ /g for @columns;
    print join("\t", @columns), "\n";
}
