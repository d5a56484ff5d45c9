import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

/** /admin and everything below get 218. The path is decoded, as the JDK's server does it. */
public class Server {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            String path = exchange.getRequestURI().normalize().getPath();
            boolean isProtected = path != null && path.matches("/admin(/.*)?");
            exchange.sendResponseHeaders(isProtected ? 218 : 200, -1);
            exchange.close();
        });
        server.start();
        System.out.println(server.getAddress().getPort());
    }
}
