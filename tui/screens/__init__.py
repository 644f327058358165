"""What lies over the dashboard for a while: questions, help, an episode's detail."""
